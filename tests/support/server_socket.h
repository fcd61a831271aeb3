// SPDX-License-Identifier: MIT
// The sockets of the test servers: a listener on 127.0.0.1 and a connection in cleartext or under TLS. Blocking; the thread that serves a connection
// uses it, any other may only call hurry(), abandon() and peer_closed(). Nothing throws but the constructors: a client that went away is an ordinary
// event for a server.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "support/certificates.h"

struct ssl_st;
struct ssl_ctx_st;

namespace popsync::test {

using TlsContext = std::shared_ptr<ssl_ctx_st>;
TlsContext make_server_context(const CertificateFiles& certificate, bool old_tls_only = false);

// For threads of servers: signals stay with the test's main thread, and a write to a client that is gone is an error, not SIGPIPE. (SIGPIPE is not
// ignored in the whole process: a client under test that relied on that would pass here and die in the field.)
void block_signals_in_this_thread();

class Listener {
 public:
  explicit Listener(std::uint16_t port);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Waits for a connection; an invalid descriptor once stop() was called.
  [[nodiscard]] UniqueFd accept() const;
  // From any thread. Connections are refused from now on.
  void stop() const;

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

class Connection {
 public:
  explicit Connection(UniqueFd fd);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();  // FIN, without close_notify, unless ended before

  // As the server. What the client sent ahead in cleartext is dropped. False if it failed.
  bool handshake(const TlsContext& context);
  [[nodiscard]] bool tls() const { return tls_ != nullptr; }
  [[nodiscard]] bool tls_resumed() const;

  // The next line with its LF; at the end of the connection what is left, then nothing. Sends what is queued before it waits.
  std::optional<std::string> read_line();
  // A whole line was received already and not read.
  [[nodiscard]] bool line_ready() const { return input_.find('\n', read_) != std::string::npos; }
  // Octets were received, or wait in the kernel (cleartext only).
  [[nodiscard]] bool input_waiting() const;
  // Reads and forgets until the client closes.
  void drain();

  // Keeps octets for the next flush(); flushes by itself when they are many.
  void queue(std::string_view octets);
  // False if the client is gone; then it is so for ever.
  bool flush();
  [[nodiscard]] bool broken() const { return broken_; }

  void end(bool close_notify);  // sends what is queued, then FIN, and waits for the client's end (briefly), so that no RST overtakes the last reply
  void drop();                  // sends what is queued, then FIN, and closes
  void reset();                 // RST; what was queued is lost

  // From any thread, while the object exists: deliberate waits (latency, a stalled message, the client's end) are cut short.
  void hurry() { hurried_ = true; }
  [[nodiscard]] bool hurried() const { return hurried_; }
  // The same, and the connection is shut down: every blocking call returns.
  void abandon();
  [[nodiscard]] bool peer_closed() const;

 private:
  struct TlsDeleter {
    void operator()(ssl_st* tls) const;
  };
  bool receive();
  bool write_all(std::string_view octets);

  UniqueFd fd_;
  std::unique_ptr<ssl_st, TlsDeleter> tls_;
  std::string input_;
  std::size_t read_ = 0;  // of input_, given out already
  std::string output_;
  bool broken_ = false;
  std::atomic<bool> hurried_{false};
};

}  // namespace popsync::test
