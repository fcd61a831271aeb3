// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <Poco/Exception.h>
#include <Poco/Net/DNS.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/escape.h"
#include "base/unique_fd.h"
#include "net/wait.h"

namespace popsync::net {
namespace {

// Who looks up names. A thread that nobody waits for any more keeps it alive beyond the end of main().
class LookupThreads : public std::enable_shared_from_this<LookupThreads> {
 public:
  // A place for one more, free again when it is dropped. Empty if `stop` or `deadline` came first.
  std::shared_ptr<void> take(const StopSignal& stop, SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_until(lock, stop.token(), deadline, [this] { return running_ < kLookupThreadsMax; })) return nullptr;
    ++running_;
    lock.unlock();
    return {this, [all = shared_from_this()](LookupThreads*) { all->give_back(); }};
  }

 private:
  void give_back() {
    {
      const std::lock_guard lock(mutex_);
      --running_;
    }
    ended_.notify_one();
  }

  std::mutex mutex_;  // guards running_
  std::condition_variable_any ended_;
  std::size_t running_ = 0;
};

LookupThreads& lookup_threads() {
  static const auto all = std::make_shared<LookupThreads>();
  return *all;
}

// Shared by the waiter and the detached thread; whoever is last frees it.
struct Pending {
  std::promise<LookupResult> result;
  UniqueFd done{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

bool is_ip_literal(const std::string& text) {
  const std::string address = text.substr(0, text.find('%'));  // fe80::1%eth0
  std::array<unsigned char, sizeof(in6_addr)> octets{};
  return ::inet_pton(AF_INET, text.c_str(), octets.data()) == 1 || ::inet_pton(AF_INET6, address.c_str(), octets.data()) == 1;
}

std::shared_ptr<Pending> start(const std::string& host, std::uint16_t port, const Lookup& lookup, const StopSignal& stop, SteadyTime deadline) {
  auto pending = std::make_shared<Pending>();
  if (!pending->done.valid()) throw Error(ErrorCode::dns_temporary, "cannot create an event descriptor: " + errno_text(errno));
  const auto place = lookup_threads().take(stop, deadline);
  if (!place) {
    throw_if_stopped(stop);
    throw Error(ErrorCode::dns_temporary,
                fmt::format("cannot look up {}: the resolver has not answered {} earlier questions yet", escaped(host), kLookupThreadsMax),
                "does the system's resolver work (getent hosts NAME)?");
  }
  try {
    std::thread([place, pending, host, port, lookup] {
      try {
        pending->result.set_value(lookup(host, port));
      } catch (...) {
        pending->result.set_exception(std::current_exception());
      }
      ::eventfd_write(pending->done.get(), 1);
    }).detach();
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::dns_temporary, fmt::format("cannot start a thread to look up {}: {}", escaped(host), error.what()));
  }
  return pending;
}

[[noreturn]] void throw_lookup_failed(const std::string& host, const LookupResult& result) {
  const std::string reason = result.status == EAI_SYSTEM ? errno_text(result.system_error) : std::string(::gai_strerror(result.status));
  // EAI_FAIL too is no proof that the name does not exist: resolvers give it for SERVFAIL and REFUSED.
  if (result.status == EAI_NONAME || result.status == EAI_NODATA) {
    throw Error(ErrorCode::host_unknown, fmt::format("host {} does not exist: {}", escaped(host), reason), "check `host`");
  }
  throw Error(ErrorCode::dns_temporary, fmt::format("cannot look up {}: {}", escaped(host), reason), "is the network up?");
}

}  // namespace

ServerName server_name(const std::string& host) {
  std::string text = host;
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (is_ip_literal(text)) return {.text = text, .is_ip = true};
  if (!text.empty() && text.back() == '.') text.pop_back();
  if (text.empty() || text.find('\0') != std::string::npos) {
    throw Error(ErrorCode::configuration, fmt::format("host \"{}\" is not a host name", escaped(host)), "check `host`");
  }
  try {
    if (Poco::Net::DNS::isIDN(text)) text = Poco::Net::DNS::encodeIDN(text);
  } catch (const Poco::Exception&) {
    throw Error(ErrorCode::configuration, fmt::format("host \"{}\" cannot be written as an internationalised domain name", escaped(host)),
                "check `host`");
  }
  return {.text = text, .is_ip = false};
}

std::string to_text(const Address& address) {
  std::array<char, NI_MAXHOST> text{};
  sockaddr_storage storage = address.storage;
  const int status =
      ::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), address.size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST | NI_NUMERICSERV);
  return status == 0 ? std::string(text.data()) : std::string("an address of an unknown family");
}

LookupResult system_lookup(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  // No AI_ADDRCONFIG: on a machine that is offline it turns every name into one that does not exist.
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  LookupResult result;
  result.status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  result.system_error = errno;
  if (result.status != 0) return result;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Address address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    result.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return result;
}

std::vector<Address> resolve(const ServerName& name, std::uint16_t port, const Lookup& lookup, const StopSignal& stop, SteadyTime deadline) {
  throw_if_stopped(stop);
  LookupResult result;
  if (name.is_ip) {
    result = lookup(name.text, port);
  } else {
    const auto pending = start(name.text, port, lookup, stop, deadline);
    if (!wait_ready(pending->done.get(), POLLIN, stop, deadline)) {
      throw Error(ErrorCode::dns_temporary, fmt::format("cannot look up {}: the resolver did not answer in time", escaped(name.text)),
                  "is the network up?");
    }
    result = pending->result.get_future().get();
  }
  if (result.status == 0 && result.addresses.empty()) result.status = EAI_NODATA;
  if (result.status != 0) throw_lookup_failed(name.text, result);
  return std::move(result.addresses);
}

}  // namespace popsync::net
