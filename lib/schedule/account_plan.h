// SPDX-License-Identifier: MIT
// What the scheduler knows of one account between two sessions: how the last ones ended, and from when on it may log in again. PURE.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "schedule/backoff.h"

namespace popsync::schedule {

// How the last failure left an account, as the state tells it. All empty where its configuration or its secret are others now: that is what an
// operator would do.
struct Standing {
  bool needs_operator = false;
  unsigned failures = 0;  // since the last success
  std::optional<ErrorCode> last_error = {};
  std::optional<WallTime> next_sync = {};  // as planned behind it; empty: never by itself
};

// Is the account to be left alone until an operator has done something, or until the time that was planned for it has come? Asked by whoever starts
// with nothing but the state: a daemon, and a sync that does not name the account. A refused login waits its time, whoever starts how often:
// providers lock accounts for logins. Trouble on this machine is looked at again: it is no server's concern, and who has put the disk right expects
// the next sync to notice.
bool left_to_operator(const Standing& standing, WallTime now);

// An enabled account as the configuration and the state tell it.
struct Account {
  std::string name = {};
  std::string host = {};  // what sessions_per_host_max counts by
  std::chrono::seconds interval = std::chrono::minutes(5);
  // Any text that differs when anything in the account's configuration does: a reload then ends the session and starts it anew.
  std::string revision = {};
  // What the state remembers, so that a restart does not log in too early. Looked at when the account is new to the scheduler.
  std::chrono::seconds login_delay{};
  std::optional<WallTime> last_login = {};
  Standing standing = {};
};

// How one session ended.
struct Result {
  std::optional<ErrorCode> error = {};  // empty: success
  std::chrono::seconds login_delay{};   // LOGIN-DELAY as the server announced it, 0: not told
  bool secret_worked = false;           // the server has accepted this very secret, in this session or before
  unsigned refusals = 0;                // logins with this secret, clear and unclear alike, if somebody counts them over all processes
};

class AccountPlan {
 public:
  // An account not tried yet by this process. Its last login may forbid to log in before some time.
  AccountPlan(const Account& account, WallTime wall, SteadyTime now);

  // A session ended at `now`. Returns when the next is due; empty: not before the operator did something.
  std::optional<SteadyTime> record(const Result& result, std::chrono::seconds interval, SteadyTime now, double random);
  // The operator did something (reload, a new secret, a named sync): old failures no longer count.
  void forgive();

  // `wanted`, or as soon after it as LOGIN-DELAY allows.
  [[nodiscard]] SteadyTime allowed(SteadyTime wanted) const;
  // Sticky: a network that fails after a refused login does not make the login right. Ends with a success or forgive().
  [[nodiscard]] bool needs_operator() const { return needs_operator_; }
  // The last session ended with a refused login.
  [[nodiscard]] bool refused() const { return refused_; }
  // Since the last success or forgive(). To find the lock held or to come too early is no failure.
  [[nodiscard]] unsigned failures() const { return failures_; }

 private:
  std::array<unsigned, kOutcomes> times_{};  // sessions that ended so since the last success
  std::chrono::seconds login_delay_{};
  SteadyTime login_not_before_ = SteadyTime::min();
  unsigned failures_ = 0;
  bool needs_operator_ = false;
  bool refused_ = false;
};

}  // namespace popsync::schedule
