// SPDX-License-Identifier: MIT
// What one sync of one account did.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace popsync::sync {

enum class SyncResult { ok, error, interrupted, not_run };

struct SyncReport {
  std::string account;
  SyncResult result = SyncResult::not_run;
  std::uint64_t fetched = 0;                     // messages published
  std::uint64_t octets = 0;                      // of them, as stored
  std::uint64_t deleted = 0;                     // DELE answered +OK
  std::uint64_t held = 0;                        // set aside, over all sessions
  std::uint64_t skipped = 0;                     // listed and known already
  std::uint64_t recovered = 0;                   // finished from staging, without being fetched again
  std::optional<WallTime> deletion_waits_since;  // deletion by age waits for a right clock
  std::chrono::milliseconds duration{};
  std::optional<Error> error;          // with not_run: why the account was left out
  std::chrono::seconds login_delay{};  // the server's LOGIN-DELAY
  bool secret_worked = false;          // in this session or before
  std::uint32_t refusals = 0;          // of the login, since one was accepted or configuration or secret were others
};

// Where a running sync is; told often, from its thread.
struct Progress {
  enum class Phase { connecting, listing, retrieving, publishing, deleting } phase = Phase::connecting;
  std::uint64_t messages_done = 0;
  std::uint64_t messages_total = 0;
  std::uint64_t octets_done = 0;
  std::uint64_t octets_total = 0;
};
using ProgressFunction = std::function<void(const Progress&)>;

}  // namespace popsync::sync
