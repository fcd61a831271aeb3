// SPDX-License-Identifier: MIT
#include "schedule/account_plan.h"

#include <algorithm>

namespace popsync::schedule {

namespace {

bool lies_with_server(ErrorCode code) {
  switch (classify(code)) {
    case Outcome::login_refused:
    case Outcome::login_unclear:
    case Outcome::host_unknown:
    case Outcome::permanent: return true;
    case Outcome::lasting:
      return code == ErrorCode::certificate || code == ErrorCode::tls_failed || code == ErrorCode::insecure_login || code == ErrorCode::not_pop3;
    case Outcome::success:
    case Outcome::temporary:
    case Outcome::in_use:
    case Outcome::login_delay:
    case Outcome::lock_held:
    case Outcome::local: return false;
  }
  return false;
}

bool is_refusal(Outcome outcome) { return outcome == Outcome::login_refused || outcome == Outcome::login_unclear; }

bool refused_login(const Standing& standing) { return standing.last_error && is_refusal(classify(*standing.last_error)); }

}  // namespace

bool left_to_operator(const Standing& standing, WallTime now) {
  if (!standing.last_error || !lies_with_server(*standing.last_error)) return false;
  if (!standing.needs_operator && !refused_login(standing)) return false;
  return standing.next_sync ? now < *standing.next_sync : standing.needs_operator;
}

AccountPlan::AccountPlan(const Account& account, WallTime wall, SteadyTime now) : login_delay_(account.login_delay) {
  if (const Standing& standing = account.standing; standing.needs_operator || refused_login(standing)) {
    needs_operator_ = standing.needs_operator;
    refused_ = refused_login(standing);
    failures_ = standing.failures;
    // Refusals are counted one by one in the state, and come with the next one.
    if (standing.last_error && !refused_) times_[static_cast<std::size_t>(classify(*standing.last_error))] = standing.failures;
  }
  if (!account.last_login || login_delay_ <= std::chrono::seconds(0)) return;
  // A last login in the future is a wall clock that was set back: wait the whole delay, not for years.
  const auto passed = std::max(wall - *account.last_login, WallTime::duration(0));
  if (passed < login_delay_) login_not_before_ = now + std::chrono::duration_cast<SteadyTime::duration>(login_delay_ - passed);
}

std::optional<SteadyTime> AccountPlan::record(const Result& result, std::chrono::seconds interval, SteadyTime now, double random) {
  const Outcome outcome = result.error ? classify(*result.error) : Outcome::success;
  if (result.login_delay > std::chrono::seconds(0)) login_delay_ = result.login_delay;
  // Counted by kind, not in a row: refusals between network failures add up to the third all the same, and the first [IN-USE] after a night without
  // network (our own session of yesterday) waits one minute, not ten.
  if (outcome == Outcome::success) forgive();
  unsigned& times = times_[static_cast<std::size_t>(outcome)];
  ++times;
  // A secret is not better for having been refused elsewhere, or before a reload: that buys one try, not three.
  if (is_refusal(outcome)) times = std::max(times, result.refusals);
  const NextAttempt next = next_attempt({.outcome = outcome,
                                         .times = times,
                                         .interval = interval,
                                         .login_delay = login_delay_,
                                         .secret_worked = result.secret_worked,
                                         .random = random});
  if (outcome != Outcome::lock_held) {
    times_[static_cast<std::size_t>(Outcome::lock_held)] = 0;
    login_not_before_ = now + login_delay_;
  }
  if (outcome != Outcome::success && outcome != Outcome::lock_held && outcome != Outcome::login_delay) ++failures_;
  needs_operator_ = needs_operator_ || next.needs_operator;
  refused_ = is_refusal(outcome);
  if (!next.delay) return std::nullopt;
  return allowed(now + *next.delay);
}

void AccountPlan::forgive() {
  times_ = {};
  failures_ = 0;
  needs_operator_ = false;
  refused_ = false;
}

SteadyTime AccountPlan::allowed(SteadyTime wanted) const { return std::max(wanted, login_not_before_); }

}  // namespace popsync::schedule
