// SPDX-License-Identifier: MIT
// What the daemon tells the service manager (sd_notify(3)) and what it can learn about how it was started. Outside a unit every message is silently
// dropped; a message that cannot be sent is logged and nothing else, mail goes on. Safe from any thread as long as none changes the environment.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace popsync::observe {

// Started by systemd as this very process: a shell inside a unit (a terminal of a desktop session) does not count, though it has inherited variables.
bool running_under_systemd();
// Standard error goes to the journal as it is now, not only when a parent was started (JOURNAL_STREAM names the stream).
bool stderr_is_journal();

// The daemon works: what Type=notify waits for. Also ends a reload.
void notify_ready();
// The start goes on for so long; before READY=1 alone (EXTEND_TIMEOUT_USEC=).
void notify_extend_start(std::chrono::seconds by);
void notify_reloading();
void notify_stopping();
// The line that `systemctl status` shows.
void notify_status(std::string_view line);
// The heart beats. To be called from the scheduler's loop at the watchdog's period.
void notify_watchdog();

// How often to call notify_watchdog(): half of WatchdogSec=. Empty if the unit sets none or means another process.
std::optional<std::chrono::microseconds> watchdog_period();

}  // namespace popsync::observe
