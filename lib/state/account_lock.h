// SPDX-License-Identifier: MIT
// The lock of one account under STATE/locks/: whoever holds it is the only one, over all processes and threads, that talks to the maildrop and
// touches the staging folder.
#pragma once

#include <chrono>
#include <string>

#include "base/stop_signal.h"
#include "state/file_lock.h"

namespace popsync::state {

constexpr std::chrono::seconds kLockWaitDefault{30};

// Waits up to `wait` for the lock. Throws Error lock_held "held by popsync run, pid 42, since ..." when it is still held then, interrupted at stop.
FileLock lock_account(const std::string& state_dir, const std::string& account_id, const std::string& command, std::chrono::milliseconds wait,
                      const StopSignal& stop);

// Who works on the account now.
std::optional<LockHolder> account_holder(const std::string& state_dir, const std::string& account_id);

}  // namespace popsync::state
