// SPDX-License-Identifier: MIT
#include "support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace popsync::test {

void RawClient::TlsDeleter::operator()(ssl_st* tls) const { SSL_free(tls); }
void RawClient::TlsDeleter::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

RawClient::RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect to 127.0.0.1:" + std::to_string(port));
  }
}

void RawClient::start_tls(const std::string& ca_file, const std::string& host) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1) throw std::runtime_error("cannot load " + ca_file);
  tls_.reset(SSL_new(context_.get()));
  if (!host.empty()) SSL_set1_host(tls_.get(), host.c_str());
  SSL_set_fd(tls_.get(), fd_.get());
  if (SSL_connect(tls_.get()) == 1) return;
  const long verdict = SSL_get_verify_result(tls_.get());
  ERR_clear_error();
  throw std::runtime_error(verdict == X509_V_OK ? "handshake failed" : X509_verify_cert_error_string(verdict));
}

void RawClient::send(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t count = tls_ != nullptr ? SSL_write(tls_.get(), octets.data(), static_cast<int>(octets.size()))
                                          : ::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count <= 0) throw std::runtime_error("the server takes no octets");
    octets.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string RawClient::line() {
  std::size_t end = 0;
  while ((end = input_.find("\r\n")) == std::string::npos) {
    if (!receive()) throw std::runtime_error("the connection ended, unread: " + input_);
  }
  std::string line = input_.substr(0, end);
  input_.erase(0, end + 2);
  return line;
}

std::string RawClient::ask(std::string_view command) {
  send(std::string(command) + "\r\n");
  return line();
}

std::vector<std::string> RawClient::list() {
  std::vector<std::string> lines;
  for (std::string next = line(); next != "."; next = line()) lines.push_back(next.starts_with('.') ? next.substr(1) : next);
  return lines;
}

std::string RawClient::content() {
  const auto end_of_content = [this] {
    if (input_.starts_with(".\r\n")) return std::size_t{3};
    const std::size_t found = input_.find("\r\n.\r\n");
    return found == std::string::npos ? found : found + 5;
  };
  std::size_t end = 0;
  while ((end = end_of_content()) == std::string::npos) {
    if (!receive()) throw std::runtime_error("the connection ended in the middle of a message");
  }
  std::string octets = input_.substr(0, end);
  input_.erase(0, end);
  return octets;
}

std::string RawClient::rest() {
  while (receive()) {
  }
  return std::exchange(input_, {});
}

void RawClient::close() {
  tls_.reset();
  fd_.reset();
}

bool RawClient::receive() {
  char octets[16 * 1024];
  const ssize_t count = tls_ != nullptr ? SSL_read(tls_.get(), octets, sizeof octets) : ::recv(fd_.get(), octets, sizeof octets, 0);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw std::runtime_error("the server says nothing");
  if (count <= 0) return false;
  input_.append(octets, static_cast<std::size_t>(count));
  return true;
}

std::unique_ptr<RawClient> logged_in(std::uint16_t port, const std::string& user, const std::string& password) {
  auto client = std::make_unique<RawClient>(port);
  client->line();
  client->ask("USER " + user);
  const std::string reply = client->ask("PASS " + password);
  if (!reply.starts_with("+OK")) throw std::runtime_error("login refused: " + reply);
  return client;
}

}  // namespace popsync::test
