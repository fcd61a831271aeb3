// SPDX-License-Identifier: MIT
// When to try an account again: PURE, from what the last session ended with, how often that happened, and a random number. It knows no clock and no
// account. A server must never be hammered, a passing trouble must not keep mail away, and a wrong secret must not lock somebody out.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/error.h"

namespace popsync::schedule {

// How a session ended, as far as the next one is concerned.
enum class Outcome {
  success,        // also with messages held
  temporary,      // passes by itself: network, time-out, [SYS/TEMP]
  host_unknown,   // a mistyped host, or a network that lies about names
  in_use,         // another session holds the maildrop
  login_delay,    // [LOGIN-DELAY]: the server wants more time between logins
  lock_held,      // another popsync works on the account: nothing was tried
  login_refused,  // the server did not take user and secret
  login_unclear,  // it took no login, and gave no reason: the secret, a limit, its own trouble
  local,          // configuration, secret, mailstore or state, found before a server was asked: cheap to look again
  lasting,        // certificate, TLS, another protocol, a failing disk: trying costs something and helps only once something has changed
  permanent,      // [SYS/PERM]
};
constexpr std::size_t kOutcomes = 11;

constexpr std::chrono::seconds kBackoffFirst{30};
constexpr std::chrono::seconds kBackoffMax = std::chrono::minutes(30);  // or the interval, if that is longer
constexpr std::chrono::seconds kInUseFirst = std::chrono::minutes(1);
constexpr std::chrono::seconds kInUseMax = std::chrono::minutes(10);  // servers drop a stale lock after RFC 1939's ten minutes
constexpr std::chrono::seconds kLoginDelayFirst = std::chrono::minutes(5);
constexpr std::chrono::seconds kLockHeldFirst{30};
constexpr std::chrono::seconds kLockHeldMax = std::chrono::minutes(5);
constexpr unsigned kRefusalsMax = 3;         // of a secret that never worked; many providers lock an account after five
constexpr unsigned kUnclearRefusalsMax = 6;  // so many at the ordinary pace, within half an hour: what passes soon has passed by then
constexpr std::chrono::seconds kRefusedFirst = std::chrono::hours(1);
constexpr std::chrono::seconds kRefusedNext = std::chrono::hours(6);
constexpr std::chrono::seconds kLocalDelay = std::chrono::minutes(5);
constexpr std::chrono::seconds kLastingFirst = std::chrono::minutes(10);
constexpr std::chrono::seconds kPermanentDelay = std::chrono::hours(24);
constexpr unsigned kHostUnknownTolerated = 2;  // this many in a row are no operator's business yet

// What an error means for the next session. Total: an error that no session should end with counts as lasting.
Outcome classify(ErrorCode code);

struct Situation {
  Outcome outcome = Outcome::success;
  unsigned times = 1;  // sessions since the last success that ended so, this one included; of a login: refusals of any kind
  std::chrono::seconds interval = std::chrono::minutes(5);
  std::chrono::seconds login_delay{};  // the server's LOGIN-DELAY, 0 if it has none
  bool secret_worked = false;          // the server has accepted this very secret before
  double random = 0.5;                 // in [0, 1)
};

struct NextAttempt {
  std::optional<std::chrono::milliseconds> delay = {};  // from the end of the session; empty: not until a reload or a sync that names the account
  bool needs_operator = false;
  bool operator==(const NextAttempt&) const = default;
};

// Never shorter than `login_delay`, never longer than a day or the interval, whichever is greater (but for LOGIN-DELAY).
NextAttempt next_attempt(const Situation& situation);

}  // namespace popsync::schedule
