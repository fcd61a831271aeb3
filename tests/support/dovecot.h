// SPDX-License-Identifier: MIT
// A real Dovecot of our own: in a folder of the caller's, on free ports of 127.0.0.1, with POP3 (STLS offered) and POP3 over TLS, every maildrop a
// Maildir. Runs as whoever runs the test, root included, and ends with it. Throws std::runtime_error with Dovecot's own words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/dovecot_process.h"

namespace popsync::test {

struct DovecotOptions {
  std::vector<std::string> users = {"alice"};
  std::string password = "open-sesame";    // of every user
  std::vector<std::string> settings = {};  // lines for dovecot.conf, after ours: "pop3_uidl_format = %g", "protocol pop3 {", ...
};

class PrivateDovecot {
 public:
  // False if dovecot or its POP3 part is not installed: the test skips.
  static bool available();

  // Writes configuration and certificates below `folder`, which exists and should be empty. Nothing runs yet; messages may be added.
  explicit PrivateDovecot(std::string folder, DovecotOptions options = {});
  PrivateDovecot(const PrivateDovecot&) = delete;
  PrivateDovecot& operator=(const PrivateDovecot&) = delete;
  ~PrivateDovecot();

  // Returns when a greeting was read. After stop() the same ports again.
  void start();
  // A variable of the configuration, "g" (2.3) or "guid" (2.4), in the words of the Dovecot that is here.
  [[nodiscard]] std::string variable(const std::string& in_2_3, const std::string& in_2_4) const {
    return is_2_3_ ? "%" + in_2_3 : "%{" + in_2_4 + "}";
  }
  // Other lines than DovecotOptions::settings, from the next start() on.
  void set_settings(std::vector<std::string> settings);
  // SIGTERM, and waits for the end. Sessions are cut.
  void stop();

  [[nodiscard]] std::uint16_t port() const { return port_; }          // cleartext, STLS
  [[nodiscard]] std::uint16_t tls_port() const { return tls_port_; }  // implicit TLS
  [[nodiscard]] const std::string& ca_file() const { return certificate_.ca_file; }
  [[nodiscard]] const std::string& password() const { return options_.password; }
  [[nodiscard]] std::string maildir(const std::string& user) const;
  // Delivers into the Maildir's new/, octets as they are (Dovecot sends every LF as CRLF). Gives the file's base name.
  std::string add_message(const std::string& user, const std::string& octets);
  // Messages in new/ and cur/.
  [[nodiscard]] std::size_t count(const std::string& user) const;
  // Dovecot's log so far.
  [[nodiscard]] std::string log() const;

 private:
  void choose_ports();
  void write_configuration() const;
  // True: the greeting came. False: dovecot ended without it.
  bool wait_for_greeting();

  std::string folder_;
  DovecotOptions options_;
  std::string program_;
  bool is_2_3_;
  CertificateFiles certificate_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  DovecotProcess process_;
  bool has_run_ = false;
  std::size_t added_ = 0;
};

}  // namespace popsync::test
