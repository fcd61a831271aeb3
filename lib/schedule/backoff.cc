// SPDX-License-Identifier: MIT
#include "schedule/backoff.h"

#include <algorithm>

namespace popsync::schedule {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

NextAttempt undelayed_by_login(const Situation& situation);
milliseconds scaled(seconds delay, double factor);

}  // namespace

Outcome classify(ErrorCode code) {
  switch (code) {
    case ErrorCode::network:
    case ErrorCode::timeout:
    case ErrorCode::dns_temporary:
    case ErrorCode::server_temporary:
    case ErrorCode::greeting_refused:  // -ERR without a code is what a server that is too busy says; [SYS/PERM] has its own error
    case ErrorCode::desynchronised:    // a proxy or virus scanner in the way; the next session starts from a clean stream
    case ErrorCode::interrupted: return Outcome::temporary;
    case ErrorCode::host_unknown: return Outcome::host_unknown;
    case ErrorCode::in_use: return Outcome::in_use;
    case ErrorCode::login_delay: return Outcome::login_delay;
    case ErrorCode::lock_held: return Outcome::lock_held;
    case ErrorCode::login_refused: return Outcome::login_refused;
    case ErrorCode::login_unclear: return Outcome::login_unclear;
    // Disks come back, passwords are unlocked, `popsync rename` is run in another terminal: somebody repaired it and expects the daemon to
    // notice. To look is cheap, no server is asked before all of this is in order.
    case ErrorCode::configuration:
    case ErrorCode::account_identity:
    case ErrorCode::mailstore_foreign:
    case ErrorCode::mailstore_unavailable:
    case ErrorCode::state_unavailable:
    case ErrorCode::secret_unavailable:
    case ErrorCode::disk_full:
    case ErrorCode::disk_hangs: return Outcome::local;
    case ErrorCode::certificate:
    case ErrorCode::tls_failed:
    case ErrorCode::insecure_login:
    case ErrorCode::not_pop3:
    // A disk that failed to sync fails again: each attempt fetches mail only to throw it away.
    case ErrorCode::io_error:
    case ErrorCode::state_corrupt:
    case ErrorCode::newer_schema:
    case ErrorCode::bug:
    case ErrorCode::usage:
    case ErrorCode::unknown_account:
    case ErrorCode::unknown_uid:
    case ErrorCode::file_not_found:
    case ErrorCode::differences: return Outcome::lasting;
    case ErrorCode::server_permanent: return Outcome::permanent;
  }
  return Outcome::lasting;
}

NextAttempt next_attempt(const Situation& situation) {
  NextAttempt next = undelayed_by_login(situation);
  // The server counts from login to login, whatever came of it; to come earlier is to be refused once more. Jitter goes upwards only.
  if (next.delay) next.delay = std::max(*next.delay, scaled(situation.login_delay, 1.0 + 0.05 * situation.random));
  return next;
}

namespace {

// `first`, doubled with every time, up to `most`.
seconds doubled(seconds first, unsigned times, seconds most) {
  seconds delay = first;
  for (unsigned i = 1; i < times && delay < most; ++i) delay *= 2;
  return std::min(delay, most);
}

milliseconds scaled(seconds delay, double factor) {
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(milliseconds(delay).count()) * factor));
}

// Up to a fifth shorter, never longer: a cap stays a cap, and accounts that failed together at the cap still drift apart.
milliseconds shortened(seconds delay, double random) { return scaled(delay, 0.8 + 0.2 * random); }

// ±5 %, so that accounts that started together do not stay together.
milliseconds around(seconds delay, double random) { return scaled(delay, 0.95 + 0.1 * random); }

milliseconds ordinary_backoff(const Situation& s) { return shortened(doubled(kBackoffFirst, s.times, std::max(kBackoffMax, s.interval)), s.random); }

NextAttempt seldom(const Situation& s, bool first) { return {around(std::max(first ? kRefusedFirst : kRefusedNext, s.interval), s.random), true}; }

// A secret that has worked is refused mostly by a server in trouble (and says so with the code for a wrong password), so go on, slowly. One that
// never worked is wrong: more tries only lock the account.
NextAttempt after_refusal(const Situation& s) {
  if (s.secret_worked) return seldom(s, s.times <= 1);
  if (s.times >= kRefusalsMax) return {std::nullopt, true};
  return {ordinary_backoff(s), false};
}

// It may pass, and it may be a count at the provider that ends with a locked account: a few tries, then as seldom as with a secret that has worked.
NextAttempt after_unclear_refusal(const Situation& s) {
  if (s.times < kUnclearRefusalsMax) return {ordinary_backoff(s), false};
  return seldom(s, s.times == kUnclearRefusalsMax);
}

NextAttempt undelayed_by_login(const Situation& s) {
  const seconds day = std::max(kPermanentDelay, s.interval);
  switch (s.outcome) {
    case Outcome::success: return {around(s.interval, s.random), false};
    case Outcome::temporary: return {ordinary_backoff(s), false};
    // A hotel's network denies every name until its form is filled in: only if it goes on is it a mistyped host.
    case Outcome::host_unknown: return {ordinary_backoff(s), s.times > kHostUnknownTolerated};
    case Outcome::in_use: return {shortened(doubled(kInUseFirst, s.times, kInUseMax), s.random), false};
    case Outcome::login_delay:
      // With a number, that number and the account's own pace; without one grow until it is enough.
      if (s.login_delay > seconds(0)) return {around(std::max(s.interval, s.login_delay), s.random), false};
      return {shortened(doubled(kLoginDelayFirst, s.times, std::max(kBackoffMax, s.interval)), s.random), false};
    case Outcome::lock_held: return {shortened(doubled(kLockHeldFirst, s.times, kLockHeldMax), s.random), false};
    case Outcome::login_refused: return after_refusal(s);
    case Outcome::login_unclear: return after_unclear_refusal(s);
    case Outcome::local: return {around(kLocalDelay, s.random), true};
    // Somebody must look, but a hotel's network also answers with its own certificate, and a certificate is renewed overnight: a whole day
    // without mail after one such answer is too long, a session a minute for weeks too many.
    case Outcome::lasting: return {shortened(doubled(kLastingFirst, s.times, day), s.random), true};
    case Outcome::permanent: return {around(day, s.random), true};
  }
  return {around(day, s.random), true};
}

}  // namespace
}  // namespace popsync::schedule
