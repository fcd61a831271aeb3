// SPDX-License-Identifier: MIT
// What follows when the disk under a mailstore fails to sync (docs/durability.md, A failed sync is final). The kernel reports such a failure once and
// then calls the same data clean, so nothing that was under way is proven and no later sync of it proves anything: the mailstore is suspended, with
// every other one on the same disk. A suspended mailstore gets no mail, and its sessions neither DELE nor QUIT; the next recovery copies what is in
// doubt to fresh files, and if that can be synced, the suspension ends. Where the suspension could not be recorded, the staging folder tells the next
// recovery (StagingFolder::distrust_disk), as long as the kernel's false memory lasts. Any thread of a session; throws Error io_error, or disk_full
// where that is why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "state/state_store.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

constexpr std::uint32_t kSyncFailuresMax = 2;  // sessions in a row in which a message could not be synced

// Runs a sync of the mailstore's folders; when it fails, suspends and throws.
void sync_or_suspend(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const std::function<void()>& work);

// A sync failed with `cause`.
[[noreturn]] void suspend(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const Error& cause);

// Recovery: whether nothing here counts that is not copied; and, once all is, the end of that. Tries the disk before it says so.
bool in_doubt(OpenMailstore& mailstore);
void end_suspension(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, std::size_t copied);

// A message's own file could not be synced and is gone. It is fetched again into a new file; if that fails too, the mailstore is suspended.
[[noreturn]] void give_up_unsynced(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const Error& cause);

// Before DELE and QUIT: throws if the mailstore has been suspended meanwhile, by whichever account.
void refuse_suspended(state::StateStore& store, const state::AccountRow& account, const OpenMailstore& mailstore);

// An account that deletes on the server needs a file system that can sync folders. Throws Error configuration if this one cannot.
void refuse_undurable_deletion(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore);

// What `status` and `check` say to do.
std::string suspension_hint(const std::string& account_name);

}  // namespace popsync::sync
