// SPDX-License-Identifier: MIT
// What a daemon does for each account before its first session.
#pragma once

#include "sync/account_sync.h"

namespace popsync::sync {

// Settles what a crash left of one account, without connecting; a mailstore that is not there yet is left so. Returns how many messages it finished.
// Throws Error (lock_held at once if another popsync works on the account, which recovers it then).
std::uint64_t recover_account(const SyncServices& services, const AccountSettings& settings, const StopSignal& stop);

}  // namespace popsync::sync
