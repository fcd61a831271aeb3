// SPDX-License-Identifier: MIT
#include "net/poco_transport.h"

#include <Poco/Exception.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "net/dial.h"
#include "net/kept_tls_session.h"
#include "net/tls_context.h"
#include "net/tls_failure.h"
#include "net/tls_memory.h"
#include "net/wait.h"

namespace popsync::net {
namespace {

constexpr std::size_t kSendOctetsMax = 16384;  // one TLS record
constexpr std::size_t kLookAheadOctets = 256;

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::string host_and_port(const Endpoint& endpoint) {
  const bool ipv6 = endpoint.host.find(':') != std::string::npos && endpoint.host.front() != '[';
  return fmt::format(fmt::runtime(ipv6 ? "[{}]:{}" : "{}:{}"), escaped(endpoint.host), endpoint.port);
}

// OpenSSL writes with write(2), which has no MSG_NOSIGNAL: a server that resets the connection would end the process.
void ignore_sigpipe() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
      action.sa_handler = SIG_IGN;
      ::sigaction(SIGPIPE, &action, nullptr);
    }
  });
}

class PocoTransport final : public Transport {
 public:
  PocoTransport(Endpoint endpoint, ServerName name, TlsPolicy policy, const StopSignal& stop, const ConnectOptions& options,
                const Poco::Net::StreamSocket& socket)
      : endpoint_(std::move(endpoint)),
        where_(host_and_port(endpoint_)),
        name_(std::move(name)),
        policy_(std::move(policy)),
        stop_(stop),
        tls_timeout_(options.tls_timeout),
        memory_(options.memory),
        plain_(socket),
        stream_(plain_) {}
  PocoTransport(const PocoTransport&) = delete;
  PocoTransport& operator=(const PocoTransport&) = delete;
  ~PocoTransport() override { keep_session(); }

  std::size_t receive(std::span<char> buffer, SteadyTime deadline) override;
  void send(std::string_view octets, SteadyTime deadline) override;
  bool input_waiting() override;
  void start_tls(SteadyTime deadline) override;
  [[nodiscard]] bool secure() const override { return secure_; }
  [[nodiscard]] std::string description() const override;

  // `deadline` may be later than what tls_timeout_ allows.
  void handshake(SteadyTime deadline, bool after_stls);

 private:
  template <typename Operation>
  std::optional<std::size_t> attempt(short plain_event, Operation operation);
  std::optional<std::size_t> receive_now(std::span<char> buffer);
  void wait(SteadyTime began, SteadyTime deadline, std::string_view what);
  void keep_session() noexcept;
  [[nodiscard]] Error lost(const Poco::Exception& error) const;
  [[nodiscard]] Error lost_because(std::string_view reason) const;
  [[nodiscard]] Error handshake_failure(const Poco::Exception& error, bool after_stls);

  Endpoint endpoint_;
  std::string where_;
  ServerName name_;
  TlsPolicy policy_;
  const StopSignal& stop_;
  std::chrono::milliseconds tls_timeout_;
  TlsMemory* memory_;
  std::unique_ptr<TlsContext> tls_;  // refers to policy_; outlives stream_
  Poco::Net::StreamSocket plain_;    // the TCP connection
  Poco::Net::StreamSocket stream_;   // the same, or TLS over it
  short wanted_ = 0;                 // the event the last attempt lacked
  std::string ahead_;                // octets input_waiting() had to take to know
  bool ended_ = false;
  bool secure_ = false;
};

std::size_t PocoTransport::receive(std::span<char> buffer, SteadyTime deadline) {
  POPSYNC_ASSERT(!buffer.empty());
  const SteadyTime began = now();
  throw_if_stopped(stop_);
  if (!ahead_.empty()) {
    const std::size_t count = std::min(buffer.size(), ahead_.size());
    std::memcpy(buffer.data(), ahead_.data(), count);
    ahead_.erase(0, count);
    return count;
  }
  while (true) {
    // Looked at before octets that may be there already: a server that never stops sending must not outlive the deadline.
    if (now() >= deadline) wait(began, deadline, "octets from");
    if (const auto count = receive_now(buffer)) return *count;
    wait(began, deadline, "octets from");
  }
}

void PocoTransport::send(std::string_view octets, SteadyTime deadline) {
  const SteadyTime began = now();
  while (!octets.empty()) {
    throw_if_stopped(stop_);
    if (now() >= deadline) wait(began, deadline, "room to send to");
    std::optional<std::size_t> count;
    try {
      const int size = static_cast<int>(std::min(octets.size(), kSendOctetsMax));
      count = attempt(POLLOUT, [&] { return stream_.sendBytes(octets.data(), size, MSG_NOSIGNAL); });
    } catch (const Poco::Exception& error) {
      throw lost(error);
    }
    if (count == 0U) throw lost_because("the server ended it");
    if (count) {
      octets.remove_prefix(*count);
    } else {
      wait(began, deadline, "room to send to");
    }
  }
}

bool PocoTransport::input_waiting() {
  if (!ahead_.empty() || ended_) return true;
  // poll(2) cannot tell: TLS 1.3 tickets make the socket readable without an octet for us, and a decrypted record may wait in OpenSSL.
  std::array<char, kLookAheadOctets> octets{};
  const auto count = receive_now(octets);
  if (!count) return false;
  ahead_.assign(octets.data(), *count);
  return true;
}

void PocoTransport::start_tls(SteadyTime deadline) {
  POPSYNC_ASSERT(!tls_);
  if (input_waiting()) {
    if (ahead_.empty()) throw lost_because("the server ended it after STLS");
    throw Error(ErrorCode::desynchronised, fmt::format("octets after STLS from {} (response injection?): \"{}\"", where_, escaped(ahead_, 80)),
                "somebody between here and the server may be tampering with the connection; nothing secret was sent");
  }
  handshake(deadline, true);
}

std::string PocoTransport::description() const {
  if (!secure_ || tls_->ssl() == nullptr) return "cleartext";
  return fmt::format("{} {}", SSL_get_version(tls_->ssl()), SSL_CIPHER_get_name(SSL_get_current_cipher(tls_->ssl())));
}

void PocoTransport::handshake(SteadyTime deadline, bool after_stls) {
  const SteadyTime began = now();
  const SteadyTime last = std::min(deadline, began + tls_timeout_);
  tls_ = std::make_unique<TlsContext>(policy_, name_);
  const KeptTlsSession* kept = memory_ == nullptr ? nullptr : memory_->session_for(endpoint_, policy_, *tls_);
  try {
    using Poco::Net::SecureStreamSocket;
    const Poco::Net::Session::Ptr session = kept == nullptr ? nullptr : kept->session;
    // The host name given here is the SNI; RFC 6066 allows no IP literal there.
    SecureStreamSocket tls = name_.is_ip ? SecureStreamSocket::attach(plain_, tls_->poco(), session)
                                         : SecureStreamSocket::attach(plain_, name_.text, tls_->poco(), session);
    stream_ = tls;
    while (!attempt(POLLIN, [&] { return tls.completeHandshake(); })) wait(began, last, "the TLS handshake of");
  } catch (const Poco::Exception& error) {
    throw handshake_failure(error, after_stls);
  }
  // A resumed session shows no certificate: that of the kept one was verified just before it was offered.
  const bool resumed = kept != nullptr && tls_->ssl() != nullptr && SSL_session_reused(tls_->ssl()) == 1;
  if (!resumed && !tls_->verifier().accepted()) throw Error(ErrorCode::certificate, fmt::format("{} proved nothing about itself", where_));
  secure_ = true;
}

// Taken at the end, because TLS 1.3 sends its tickets some time after the handshake. A connection that broke leaves none worth keeping.
void PocoTransport::keep_session() noexcept {
  if (!secure_ || memory_ == nullptr || tls_->ssl() == nullptr) return;
  try {
    auto kept = std::make_unique<KeptTlsSession>();
    kept->endpoint = endpoint_;
    kept->policy = policy_;
    SSL_SESSION* session = SSL_get_session(tls_->ssl());
    if (session != nullptr && SSL_SESSION_up_ref(session) == 1) kept->session = new TakenTlsSession(session);
    kept->certificate.reset(SSL_get1_peer_certificate(tls_->ssl()));
    if (STACK_OF(X509)* chain = SSL_get_peer_cert_chain(tls_->ssl())) kept->chain.reset(X509_chain_up_ref(chain));
    memory_->keep(std::move(kept));
  } catch (const std::exception& exception) {
    log_debug("", std::string("the TLS session is not kept: ") + escaped(exception.what()));
  }
}

// Empty: nothing can be done before wanted_. Throws what POCO throws.
template <typename Operation>
std::optional<std::size_t> PocoTransport::attempt(short plain_event, Operation operation) {
  // POCO tries again for ever while errno says EINTR, and OpenSSL takes an error left in the thread's queue by another connection for its own.
  errno = 0;
  ERR_clear_error();
  int result = -1;
  try {
    result = operation();
  } catch (const Poco::Exception& error) {
    // POCO 1.11 returns -1 where receiving would block, but throws where sending would.
    if (tls_ || (error.code() != EAGAIN && error.code() != EINTR)) throw;
  }
  if (result >= 0) return static_cast<std::size_t>(result);
  wanted_ = plain_event;
  if (!tls_) return {};
  // Asked of OpenSSL: POCO returns the same -1 for "wants to read" and for an error it has no text for.
  const int want = tls_->ssl() == nullptr ? SSL_NOTHING : SSL_want(tls_->ssl());
  if (want != SSL_READING && want != SSL_WRITING) throw Poco::IOException("TLS failed without a reason");
  wanted_ = want == SSL_READING ? POLLIN : POLLOUT;
  return {};
}

std::optional<std::size_t> PocoTransport::receive_now(std::span<char> buffer) {
  if (ended_) return 0;
  try {
    const int size = static_cast<int>(std::min<std::size_t>(buffer.size(), 1U << 20U));
    const auto count = attempt(POLLIN, [&] { return stream_.receiveBytes(buffer.data(), size); });
    ended_ = count == 0U;
    return count;
  } catch (const Poco::Exception& error) {
    throw lost(error);
  }
}

void PocoTransport::wait(SteadyTime began, SteadyTime deadline, std::string_view what) {
  if (deadline > now() && wait_ready(plain_.impl()->sockfd(), wanted_, stop_, deadline)) return;
  const auto spent = std::chrono::floor<std::chrono::milliseconds>(now() - began);
  throw Error(ErrorCode::timeout, fmt::format("timeout waiting for {} {} ({})", what, where_, human_duration(spent)));
}

Error PocoTransport::lost(const Poco::Exception& error) const {
  const unsigned long code = openssl_code(error.displayText());
  if (error.code() > 0) return lost_because(errno_text(error.code()));
  if (is_truncation(code)) return lost_because("the server closed TLS without notice");
  return lost_because(code != 0 ? "TLS: " + openssl_reason(code) : escaped(error.displayText()));
}

Error PocoTransport::lost_because(std::string_view reason) const {
  return {ErrorCode::network, fmt::format("connection lost: {} ({})", reason, where_)};
}

Error PocoTransport::handshake_failure(const Poco::Exception& error, bool after_stls) {
  if (tls_->verifier().refused()) return certificate_error(where_, name_, policy_, tls_->verifier());
  std::string first = tls_->first_octets();
  if (!first.empty() && !is_tls_record(first)) {
    std::array<char, kLookAheadOctets> rest{};
    const ssize_t count = ::recv(plain_.impl()->sockfd(), rest.data(), rest.size(), MSG_PEEK | MSG_DONTWAIT);
    if (count > 0) first.append(rest.data(), static_cast<std::size_t>(count));
    return cleartext_error(endpoint_, after_stls, first);
  }
  const unsigned long code = openssl_code(error.displayText());
  if (code == 0 || is_truncation(code)) {
    const std::string reason = error.code() > 0 ? errno_text(error.code()) : "the server closed it";
    return lost_because(reason + " during the TLS handshake");
  }
  return handshake_error(where_, policy_, code);
}

}  // namespace

std::unique_ptr<Transport> connect(const Endpoint& endpoint, const TlsPolicy& policy, const StopSignal& stop, TlsMemory* memory) {
  ConnectOptions options;
  options.memory = memory;
  return connect(endpoint, policy, stop, options);
}

std::unique_ptr<Transport> connect(const Endpoint& endpoint, const TlsPolicy& policy, const StopSignal& stop, const ConnectOptions& options) {
  ignore_sigpipe();
  const ServerName name = server_name(endpoint.host);
  const std::vector<Address> addresses = resolve(name, endpoint.port, options.lookup, stop, now() + options.connect_timeout);
  try {
    Poco::Net::StreamSocket socket = dial(host_and_port(endpoint), addresses, stop, now() + options.connect_timeout);
    auto transport = std::make_unique<PocoTransport>(endpoint, name, policy, stop, options, socket);
    if (policy.mode == TlsMode::implicit) transport->handshake(SteadyTime::max(), false);
    return transport;
  } catch (const Poco::Exception& error) {
    throw Error(ErrorCode::network, fmt::format("cannot connect to {}: {}", host_and_port(endpoint), escaped(error.displayText())));
  }
}

}  // namespace popsync::net
