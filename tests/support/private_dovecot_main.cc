// SPDX-License-Identifier: MIT
// private_dovecot FOLDER: a real Dovecot with mail in it for benchmarks and scripts. Says where it listens, as KEY=VALUE lines and READY, and serves
// until SIGTERM or the end of stdin (a pipe).
#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "support/dovecot.h"
#include "support/message_corpus.h"
#include "support/until_told.h"

namespace {

using Maildrops = std::vector<std::pair<std::string, std::size_t>>;

struct Content {
  std::size_t messages = 0;  // of the first user
  Maildrops realistic;       // further users
  Maildrops small;
};

void fill(popsync::test::PrivateDovecot& dovecot, const std::string& user, std::size_t messages) {
  // Maildir files have LF; Dovecot makes CRLF of it.
  for (const std::string& message : popsync::test::realistic_messages(messages)) dovecot.add_message(user, popsync::test::octets_stored(message));
}

void fill_with_small(popsync::test::PrivateDovecot& dovecot, const std::string& user, std::size_t messages) {
  for (std::size_t i = 0; i < messages; ++i) {
    dovecot.add_message(user, popsync::test::octets_stored(popsync::test::small_message("small " + std::to_string(i))));
  }
}

void serve(const std::string& folder, const Content& content, popsync::test::DovecotOptions options) {
  const popsync::test::UntilTold until_told;
  std::filesystem::create_directories(folder);
  for (const Maildrops* drops : {&content.realistic, &content.small}) {
    for (const auto& [name, count] : *drops) options.users.push_back(name);
  }
  popsync::test::PrivateDovecot dovecot(std::filesystem::canonical(folder), options);
  const std::string& user = options.users.front();
  fill(dovecot, user, content.messages);
  for (const auto& [name, count] : content.realistic) fill(dovecot, name, count);
  for (const auto& [name, count] : content.small) fill_with_small(dovecot, name, count);
  dovecot.start();
  std::cout << "PORT=" << dovecot.port() << "\nTLS_PORT=" << dovecot.tls_port() << "\nCA=" << dovecot.ca_file() << "\nUSER=" << user
            << "\nPASSWORD=" << options.password << "\nMAILDIR=" << dovecot.maildir(user) << "\nREADY" << std::endl;
  until_told.wait();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A private Dovecot with POP3 on 127.0.0.1");
  std::string folder;
  Content content;
  popsync::test::DovecotOptions options;
  app.add_option("folder", folder, "where configuration, log and mail go")->required();
  app.add_option("--messages", content.messages, "so many realistic messages in the maildrop");
  app.add_option("--realistic", content.realistic, "USER COUNT: another maildrop, with realistic messages")->allow_extra_args(false);
  app.add_option("--small", content.small, "USER COUNT: another maildrop, with small messages")->allow_extra_args(false);
  app.add_option("--user", options.users.front());
  app.add_option("--password", options.password);
  app.add_option("setting", options.settings, "further lines of dovecot.conf");
  CLI11_PARSE(app, argc, argv);
  try {
    serve(folder, content, options);
  } catch (const std::exception& error) {
    std::cerr << "private_dovecot: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
