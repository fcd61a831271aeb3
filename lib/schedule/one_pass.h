// SPDX-License-Identifier: MIT
// One pass over accounts, for a command that then ends: each account runs once, under the same limits as in the daemon, with no stagger and no
// back-off. One whose file system does not answer is left alone, and the others go on (disk_gate.h).
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "schedule/disk_gate.h"
#include "schedule/due_queue.h"

namespace popsync::schedule {

struct PassAccount {
  std::string name;
  std::string host;  // what sessions_per_host_max counts by
};

struct PassOptions {
  Limits limits = {};
  DiskWatch disks = {};
  std::chrono::milliseconds stop_grace = std::chrono::seconds(20);  // how long a session may take to end after a stop
};

struct PassEnd {
  std::vector<std::string> left;  // accounts never started, because of a stop, in the order given
  struct Hung {
    std::string account;
    WallTime since;
    std::string path;
  };
  std::vector<Hung> hung;  // whose file system does not answer: in a session of theirs, or kept back for another's
  bool threads_left = false;
};

// Calls `session` once for each account, from up to sessions_max threads, and returns when all have ended but those that hang. After `stop` no
// further one is started; those under way look at the same token themselves, and have stop_grace. What a session throws ends the pass: no further one
// is started, the first exception is thrown again here.
//
// If `threads_left`, sessions still run: what they use must live on, and the process must end by std::_Exit.
PassEnd run_one_pass(const std::vector<PassAccount>& accounts, const PassOptions& options, std::function<void(const std::string& account)> session,
                     const std::stop_token& stop);

}  // namespace popsync::schedule
