// SPDX-License-Identifier: MIT
// What sync_account() would do now; changes nothing, here or there.
#pragma once

#include <string>
#include <vector>

#include "sync/account_sync.h"

namespace popsync::sync {

struct DryRun {
  FetchPlan plan;
  std::uint64_t old_deletions = 0;     // of messages stored in earlier sessions
  std::vector<std::string> deletions;  // their unique-ids, as they are told
};

// `store` may be null: a state that was never used. Throws Error.
DryRun plan_account(state::StateStore* store, const Clock& clock, const SyncRequest& request, const std::vector<std::string>& configured_names,
                    const std::string& command);

}  // namespace popsync::sync
