// SPDX-License-Identifier: MIT
// private_dovecot FOLDER: a real Dovecot with mail in it for benchmarks and scripts. Says where it listens, as KEY=VALUE lines and READY, and serves
// until SIGTERM or the end of stdin (a pipe).
#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>

#include "support/dovecot.h"
#include "support/message_corpus.h"
#include "support/until_told.h"

namespace {

void serve(const std::string& folder, std::size_t messages, const popsync::test::DovecotOptions& options) {
  const popsync::test::UntilTold until_told;
  std::filesystem::create_directories(folder);
  popsync::test::PrivateDovecot dovecot(std::filesystem::canonical(folder), options);
  const std::string& user = options.users.front();
  // Maildir files have LF; Dovecot makes CRLF of it.
  for (const std::string& message : popsync::test::realistic_messages(messages)) dovecot.add_message(user, popsync::test::octets_stored(message));
  dovecot.start();
  std::cout << "PORT=" << dovecot.port() << "\nTLS_PORT=" << dovecot.tls_port() << "\nCA=" << dovecot.ca_file() << "\nUSER=" << user
            << "\nPASSWORD=" << options.password << "\nMAILDIR=" << dovecot.maildir(user) << "\nREADY" << std::endl;
  until_told.wait();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A private Dovecot with POP3 on 127.0.0.1");
  std::string folder;
  std::size_t messages = 0;
  popsync::test::DovecotOptions options;
  app.add_option("folder", folder, "where configuration, log and mail go")->required();
  app.add_option("--messages", messages, "so many realistic messages in the maildrop");
  app.add_option("--user", options.users.front());
  app.add_option("--password", options.password);
  app.add_option("setting", options.settings, "further lines of dovecot.conf");
  CLI11_PARSE(app, argc, argv);
  try {
    serve(folder, messages, options);
  } catch (const std::exception& error) {
    std::cerr << "private_dovecot: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
