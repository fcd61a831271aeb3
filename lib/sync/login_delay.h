// SPDX-License-Identifier: MIT
// LOGIN-DELAY (RFC 2449 section 6.5): so long after a login was accepted the server accepts no other. Who logs in next may be another process, so the
// state knows the last login, and it is looked at under the account's lock.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "state/rows.h"

namespace popsync::sync {

// A server that asks for more than this would keep its mail from us for years; no honest one does.
constexpr std::chrono::seconds kLoginDelayMax = std::chrono::days(1);
// Of the delay that a server announced, what it is given.
std::chrono::seconds honoured_login_delay(std::chrono::seconds announced);

// When the account may log in again; empty: now. A last login that lies ahead was noted by a clock that was ahead: it was now.
std::optional<WallTime> login_not_before(const state::AccountRow& account, WallTime now);
// The server has just accepted a login; `delay` is what it is given.
void note_login(state::AccountRow& account, std::chrono::seconds delay, WallTime now);
// What is told instead of logging in too early.
Error too_early(const state::AccountRow& account, WallTime not_before);

}  // namespace popsync::sync
