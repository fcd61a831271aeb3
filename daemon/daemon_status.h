// SPDX-License-Identifier: MIT
// Is a daemon running on this state? It holds STATE/daemon.lock.
#pragma once

#include <optional>
#include <string>

#include "state/file_lock.h"

namespace popsync {

std::optional<state::LockHolder> running_daemon(const std::string& state_dir);
// Throws Error lock_held if another daemon runs on this state.
state::FileLock become_daemon(const std::string& state_dir);
// After a sync by hand: the daemon looks at the state again (SIGUSR2), so that an account it had given up on is taken up.
void tell_daemon(const std::string& state_dir);

}  // namespace popsync
