// SPDX-License-Identifier: MIT
#include "sync/login_delay.h"

#include <algorithm>

#include "base/format.h"

namespace popsync::sync {

std::chrono::seconds honoured_login_delay(std::chrono::seconds announced) { return std::min(announced, kLoginDelayMax); }

std::optional<WallTime> login_not_before(const state::AccountRow& account, WallTime now) {
  const std::chrono::seconds delay = honoured_login_delay(account.login_delay);  // an earlier popsync stored what was announced
  if (!account.last_login || delay <= std::chrono::seconds(0)) return std::nullopt;
  // The wall clock alone is common to all processes.
  const WallTime login = *account.last_login - now > kClockStep ? now : *account.last_login;
  const WallTime not_before = login + delay;
  if (now >= not_before) return std::nullopt;
  return not_before;
}

void note_login(state::AccountRow& account, std::chrono::seconds delay, WallTime now) {
  account.login_delay = delay;
  account.last_login.reset();
  // Upwards: the state knows full seconds, and a login half a second early is refused.
  if (delay > std::chrono::seconds(0)) account.last_login = std::chrono::ceil<std::chrono::seconds>(now);
}

Error too_early(const state::AccountRow& account, WallTime not_before) {
  return {ErrorCode::login_delay, "not tried: the server wants " + human_duration(honoured_login_delay(account.login_delay)) +
                                      " between logins (LOGIN-DELAY), the next may be at " + rfc3339_utc(not_before)};
}

}  // namespace popsync::sync
