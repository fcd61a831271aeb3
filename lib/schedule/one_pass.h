// SPDX-License-Identifier: MIT
// One pass over accounts, for a command that then ends: each account runs once, under the same limits as in the daemon, with no stagger and no
// back-off.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "schedule/due_queue.h"

namespace popsync::schedule {

struct PassAccount {
  std::string name;
  std::string host;  // what sessions_per_host_max counts by
};

// Calls `session` once for each account, from up to sessions_max threads, and returns when all have ended. After `stop` no further one is started;
// those under way look at the same token themselves. Returns the names of those never started, in the order given. What a session throws ends the
// pass: no further one is started, the first exception is thrown again here.
std::vector<std::string> run_one_pass(const std::vector<PassAccount>& accounts, Limits limits,
                                      const std::function<void(const std::string& account)>& session, const std::stop_token& stop);

}  // namespace popsync::schedule
