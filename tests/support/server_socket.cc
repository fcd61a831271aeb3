// SPDX-License-Identifier: MIT
#include "support/server_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace popsync::test {

namespace {

constexpr std::size_t kFlushOctets = 64 * 1024;
constexpr std::size_t kLineOctetsMax = 256 * 1024;  // a client that sends more without LF is at its end for us

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

TlsContext make_server_context(const CertificateFiles& certificate, bool old_tls_only) {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr || SSL_CTX_use_certificate_chain_file(context.get(), certificate.certificate_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), certificate.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw std::runtime_error("the test server cannot use the certificate " + certificate.certificate_file);
  }
  if (old_tls_only) {
    SSL_CTX_set_security_level(context.get(), 0);  // OpenSSL 3 allows TLS 1.1 only here
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
  }
  return context;
}

void block_signals_in_this_thread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

Listener::Listener(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (!fd_.valid()) fail("socket");
  set_option(fd_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd_.get(), generic, length) != 0) fail("bind to 127.0.0.1");
  if (::listen(fd_.get(), 256) != 0) fail("listen");
  if (::getsockname(fd_.get(), generic, &length) != 0) fail("getsockname");
  port_ = ntohs(address.sin_port);
}

UniqueFd Listener::accept() const {
  while (true) {
    UniqueFd accepted(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted.valid()) {
      set_option(accepted.get(), IPPROTO_TCP, TCP_NODELAY, 1);
      return accepted;
    }
    if (errno != EINTR && errno != ECONNABORTED) return {};
  }
}

void Listener::stop() const { ::shutdown(fd_.get(), SHUT_RDWR); }

void Connection::TlsDeleter::operator()(ssl_st* tls) const { SSL_free(tls); }

Connection::Connection(UniqueFd fd) : fd_(std::move(fd)) {}
Connection::~Connection() = default;

bool Connection::handshake(const TlsContext& context) {
  if (!flush()) return false;
  // RFC 2595 section 4: commands that were pipelined behind STLS came in cleartext, from anybody.
  input_.clear();
  read_ = 0;
  tls_.reset(SSL_new(context.get()));
  SSL_set_fd(tls_.get(), fd_.get());
  if (SSL_accept(tls_.get()) == 1) return true;
  ERR_clear_error();
  broken_ = true;
  return false;
}

bool Connection::tls_resumed() const { return tls_ != nullptr && SSL_session_reused(tls_.get()) == 1; }

std::optional<std::string> Connection::read_line() {
  while (true) {
    const std::size_t end = input_.find('\n', read_);
    if (end != std::string::npos) {
      std::string line = input_.substr(read_, end + 1 - read_);
      read_ = end + 1;
      return line;
    }
    input_.erase(0, read_);
    read_ = 0;
    flush();  // a client that only stopped reading may still have something to say
    if (input_.size() <= kLineOctetsMax && receive()) continue;
    if (input_.empty()) return std::nullopt;
    return std::exchange(input_, {});
  }
}

bool Connection::input_waiting() const {
  if (read_ < input_.size()) return true;
  char octet = 0;
  return tls_ == nullptr && ::recv(fd_.get(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Connection::drain() {
  flush();
  do input_.clear();
  while (receive());
  read_ = 0;
}

bool Connection::receive() {
  char octets[16 * 1024];
  while (true) {
    ssize_t count = 0;
    if (tls_ != nullptr) {
      if (broken_) return false;
      count = SSL_read(tls_.get(), octets, sizeof octets);
      if (count <= 0) ERR_clear_error();
    } else {
      count = ::recv(fd_.get(), octets, sizeof octets, 0);
      if (count < 0 && errno == EINTR) continue;
    }
    if (count <= 0) return false;
    input_.append(octets, static_cast<std::size_t>(count));
    return true;
  }
}

void Connection::queue(std::string_view octets) {
  output_ += octets;
  if (output_.size() >= kFlushOctets) flush();
}

bool Connection::flush() {
  const std::string octets = std::exchange(output_, {});
  if (!broken_ && !write_all(octets)) broken_ = true;
  return !broken_;
}

bool Connection::write_all(std::string_view octets) {
  while (!octets.empty()) {
    ssize_t count = 0;
    if (tls_ != nullptr) {
      count = SSL_write(tls_.get(), octets.data(), static_cast<int>(std::min<std::size_t>(octets.size(), 1 << 30)));
      if (count <= 0) ERR_clear_error();
    } else {
      count = ::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
    }
    if (count <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void Connection::end(bool close_notify) {
  flush();
  if (tls_ != nullptr && close_notify && !broken_) {
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  ::shutdown(fd_.get(), SHUT_WR);
  const timeval patience{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char rest[4096];
  while (!hurried_ && ::recv(fd_.get(), rest, sizeof rest, 0) > 0) {
  }
  broken_ = true;
}

void Connection::drop() {
  flush();
  ::shutdown(fd_.get(), SHUT_RDWR);
  broken_ = true;
}

void Connection::reset() {
  output_.clear();
  broken_ = true;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);  // close() then sends RST
}

void Connection::abandon() {
  hurry();
  ::shutdown(fd_.get(), SHUT_RDWR);
}

bool Connection::peer_closed() const {
  pollfd waiting{.fd = fd_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&waiting, 1, 0) > 0;
}

}  // namespace popsync::test
