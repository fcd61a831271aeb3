// SPDX-License-Identifier: MIT
// A TCP server on 127.0.0.1 that serves one connection with a script, on its own thread, with TLS from OpenSSL where the script asks for it.
// Declare it before the Transport that talks to it: the script ends when the client is gone.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/unique_fd.h"
#include "test_certificate.h"

namespace popsync::net::testing {

struct TlsSettings {
  int version_max = 0;     // TLS1_1_VERSION ...; 0: the newest
  int security_level = 2;  // 0 for versions that OpenSSL calls unsafe
  const char* ciphers = nullptr;
  bool weak_dh = false;
  const Identity* sent_along = nullptr;  // the certificate of an authority
};

// The server's end of the connection. Blocking; the script's thread only.
class Peer {
 public:
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  // True once the client finished its handshake too.
  bool start_tls(const Identity& identity, const TlsSettings& settings = {}) {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_security_level(context_.get(), settings.security_level);
    if (settings.weak_dh) SSL_CTX_set_dh_auto(context_.get(), 2);  // 1024 bits, whatever the certificate's key
    if (settings.ciphers != nullptr) SSL_CTX_set_cipher_list(context_.get(), settings.ciphers);
    if (settings.version_max != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), 0);
      SSL_CTX_set_max_proto_version(context_.get(), settings.version_max);
    }
    POPSYNC_ASSERT(SSL_CTX_use_certificate(context_.get(), identity.certificate.get()) == 1);
    POPSYNC_ASSERT(SSL_CTX_use_PrivateKey(context_.get(), identity.key.get()) == 1);
    if (settings.sent_along != nullptr) POPSYNC_ASSERT(SSL_CTX_add1_chain_cert(context_.get(), settings.sent_along->certificate.get()) == 1);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_.get());
    return SSL_accept(ssl_.get()) == 1;
  }
  // The SNI of the client, empty without.
  [[nodiscard]] std::string server_name() const {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? "" : name;
  }

  void write(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t count = ssl_ ? SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size()))
                                 : ::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      octets.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // What is there, at least one octet; empty at the end.
  std::string read() {
    std::array<char, 16384> buffer{};
    const ssize_t count =
        ssl_ ? SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size())) : ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    return count > 0 ? std::string(buffer.data(), static_cast<std::size_t>(count)) : std::string();
  }
  void wait_for_end() {
    while (!read().empty()) {
    }
  }
  void close_notify() { SSL_shutdown(ssl_.get()); }
  // TCP FIN, and no close_notify before it.
  void close() { ::shutdown(fd_.get(), SHUT_WR); }
  // TCP RST.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  struct FreeSsl {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  UniqueFd fd_;
  std::unique_ptr<SSL_CTX, FreeSsl> context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

inline UniqueFd listen_on_loopback(int backlog = 8) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  POPSYNC_ASSERT(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  POPSYNC_ASSERT(::listen(fd.get(), backlog) == 0);
  return fd;
}

inline std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  POPSYNC_ASSERT(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

class TestServer {
 public:
  using Script = std::function<void(Peer&)>;

  explicit TestServer(Script script) : listener_(listen_on_loopback()), port_(port_of(listener_.get())) {
    thread_ = std::thread([listener = listener_.get(), play = std::move(script)] {
      UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      const int at_once = 1;  // else each reply waits for a delayed acknowledgement
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      Peer peer(std::move(fd));
      play(peer);
    });
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() { finish(); }

  // Waits for the script's end. The client must be gone, or the script not wait for it.
  void finish() {
    if (!thread_.joinable()) return;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd listener_;
  std::uint16_t port_;
  std::thread thread_;
};

}  // namespace popsync::net::testing
