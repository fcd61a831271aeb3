// SPDX-License-Identifier: MIT
// From the host as configured to addresses. getaddrinfo cannot be cancelled, so it runs on a detached thread that owns all it touches;
// when the stop or the deadline comes first, that thread ends by itself later and nobody looks at what it found. Such threads are bounded: a resolver
// that never answers must not fill the machine with them.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/stop_signal.h"

namespace popsync::net {

// What DNS, SNI and the certificate's names are asked for.
struct ServerName {
  std::string text;    // a name in A-labels (RFC 5891) without the final dot, or an IP literal without brackets
  bool is_ip = false;  // an IP literal is never looked up, sent as SNI or compared with a DNS name
};
// Throws Error configuration if `host` cannot be a name.
ServerName server_name(const std::string& host);

struct Address {
  sockaddr_storage storage{};  // with the port
  socklen_t size = 0;
};
// "192.0.2.1", "2001:db8::1"
std::string to_text(const Address& address);

struct LookupResult {
  int status = 0;        // EAI_*, 0: found
  int system_error = 0;  // errno if status is EAI_SYSTEM
  std::vector<Address> addresses = {};
};
// Of a process, at once, with those that nobody waits for any more: twice the default of `max_sessions`. Who comes later waits for one to end.
constexpr std::size_t kLookupThreadsMax = 64;

using Lookup = std::function<LookupResult(const std::string& host, std::uint16_t port)>;
// getaddrinfo. Blocks for as long as the system's resolver likes.
LookupResult system_lookup(const std::string& host, std::uint16_t port);

// The addresses in the resolver's order, at least one. Throws Error host_unknown, dns_temporary (also when the deadline passes, with no thread free
// or without an answer), interrupted.
std::vector<Address> resolve(const ServerName& name, std::uint16_t port, const Lookup& lookup, const StopSignal& stop, SteadyTime deadline);

}  // namespace popsync::net
