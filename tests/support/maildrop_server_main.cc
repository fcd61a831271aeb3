// SPDX-License-Identifier: MIT
// popsync-demo-server FOLDER: a MaildropServer with a maildrop full of mail to try popsync on. Says where it listens, as KEY=VALUE lines and READY,
// and serves until SIGTERM or the end of stdin (a pipe). Implicit TLS with a certificate of its own, whose authority is FOLDER/ca.pem; on exit
// nothing is left.
#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>

#include "support/certificates.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/until_told.h"

namespace {

struct Wishes {
  std::string folder;
  std::size_t messages = 300;
  std::uint16_t port = 0;
  bool no_tls = false;
  bool stls = false;
  int latency_ms = 0;
};

// What we wrote, and the folder if it is ours.
class Leavings {
 public:
  explicit Leavings(const std::string& folder)
      : made_folder_(std::filesystem::create_directories(folder)), folder_(std::filesystem::canonical(folder)) {}
  Leavings(const Leavings&) = delete;
  Leavings& operator=(const Leavings&) = delete;
  ~Leavings() {
    std::error_code ignored;
    for (const char* name : {"ca.pem", "server.crt", "server.key"}) std::filesystem::remove(folder_ / name, ignored);
    if (made_folder_) std::filesystem::remove(folder_, ignored);  // unless somebody put something into it
  }
  [[nodiscard]] std::string folder() const { return folder_; }

 private:
  bool made_folder_;
  std::filesystem::path folder_;
};

void serve(const Wishes& wishes) {
  const popsync::test::UntilTold until_told;
  const Leavings leavings(wishes.folder);
  popsync::test::MaildropServerOptions options{.port = wishes.port};
  if (!wishes.no_tls) {
    options.tls = wishes.stls ? popsync::test::ServerTls::stls : popsync::test::ServerTls::implicit;
    options.certificate = popsync::test::CertificateAuthority(leavings.folder()).issue();
  }
  popsync::test::MaildropServer server(options, {.latency = std::chrono::milliseconds(wishes.latency_ms)});
  for (std::string& message : popsync::test::realistic_messages(wishes.messages)) server.add(std::move(message));
  std::cout << "PORT=" << server.port() << "\nCA=" << options.certificate.ca_file << "\nUSER=" << popsync::test::MaildropServer::kUser
            << "\nPASSWORD=" << popsync::test::MaildropServer::kPassword << "\nREADY" << std::endl;
  until_told.wait();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A POP3 server with mail in it, to try popsync on");
  Wishes wishes;
  app.add_option("folder", wishes.folder, "where the certificate goes")->required();
  app.add_option("--messages", wishes.messages, "so many realistic messages in the maildrop")->capture_default_str();
  app.add_option("--port", wishes.port, "on 127.0.0.1; 0: any free one")->capture_default_str();
  auto* no_tls = app.add_flag("--no-tls", wishes.no_tls, "in cleartext");
  app.add_flag("--stls", wishes.stls, "STLS in place of implicit TLS")->excludes(no_tls);
  app.add_option("--latency-ms", wishes.latency_ms, "the time of a round trip")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    serve(wishes);
  } catch (const std::exception& error) {
    std::cerr << "popsync-demo-server: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
