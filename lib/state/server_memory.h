// SPDX-License-Identifier: MIT
// What the last sessions of an account have learnt of its server, so that the next one needs fewer round trips. Nothing hangs on it: whatever is
// missing, old or surprising is asked for again, and a row without it costs a few commands more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "pop3/types.h"

namespace popsync::state {

// What CAPA announced, as text, and when it was really asked.
struct KnownCapabilities {
  std::string where;  // TLS mode and address: good for nothing else
  std::string before_login;
  std::string after_login;
  WallTime asked{};
  bool operator==(const KnownCapabilities&) const = default;
};

// The maildrop as the last session left it, every message of it dealt with.
struct KnownListing {
  std::string policy;  // under which it was dealt with
  std::uint64_t count = 0;
  std::uint64_t octets = 0;  // as STAT tells them
  pop3::UniqueId last;       // of the message with the number `count`; empty if there is none
  WallTime completed{};      // when the maildrop was last listed whole
  std::uint32_t looks = 0;   // short ones since then
  bool operator==(const KnownListing&) const = default;
};

struct ServerMemory {
  std::optional<KnownCapabilities> capabilities;
  std::uint32_t failures_ahead = 0;  // openings in a row that failed while commands were sent together with the login
  std::optional<KnownListing> listing;
  bool operator==(const ServerMemory&) const = default;
};

}  // namespace popsync::state
