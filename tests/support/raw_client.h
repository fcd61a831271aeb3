// SPDX-License-Identifier: MIT
// A client that sends and reads what a test says, nothing else: for tests of the test servers, and to play the second session on a maildrop. Every
// wait ends after 20 s with std::runtime_error; the end of the connection is one too, where a line is expected.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

struct ssl_st;
struct ssl_ctx_st;

namespace popsync::test {

class RawClient {
 public:
  // Connects to 127.0.0.1; does not read the greeting.
  explicit RawClient(std::uint16_t port);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() = default;

  // Verifies the chain, and the name if it is not empty. Throws std::runtime_error with OpenSSL's reason.
  void start_tls(const std::string& ca_file, const std::string& host = "localhost");

  void send(std::string_view octets);
  // The next line without CRLF.
  std::string line();
  // Sends the command and CRLF; the next line.
  std::string ask(std::string_view command);
  // The lines of a multi-line reply up to ".", byte-stuffing undone; the status line was read.
  std::vector<std::string> list();
  // The octets of a multi-line reply behind the status line, as they come, termination octets included.
  std::string content();
  // All that comes until the connection ends; an RST counts as an end.
  std::string rest();
  // Ends the connection at once.
  void close();

 private:
  struct TlsDeleter {
    void operator()(ssl_st* tls) const;
    void operator()(ssl_ctx_st* context) const;
  };
  bool receive();

  UniqueFd fd_;
  std::unique_ptr<ssl_ctx_st, TlsDeleter> context_;
  std::unique_ptr<ssl_st, TlsDeleter> tls_;
  std::string input_;
};

// Connected, greeting read, logged in with USER and PASS.
std::unique_ptr<RawClient> logged_in(std::uint16_t port, const std::string& user = "alice", const std::string& password = "open-sesame");

}  // namespace popsync::test
