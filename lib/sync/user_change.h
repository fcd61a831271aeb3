// SPDX-License-Identifier: MIT
// The provider has given a maildrop another login name: the rows of the account go on under it. One commit; killed before it the account is still
// stopped, killed behind it the id file of its Maildir follows at the next session.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "state/state_store.h"
#include "sync/account_sync.h"

namespace popsync::sync {

// The stored account of this name if it is stopped because it has another user.
std::optional<state::AccountRow> account_of_other_user(state::StateStore& store, const AccountSettings& settings,
                                                       std::span<const std::string> configured);

// `account`, which is that row, has the user of the settings from now on. Every message of it is in doubt: it is neither deleted nor fetched before
// it was recognised (docs/durability.md, "Recognised again"). Under the account's lock.
void take_user(const SyncServices& services, const AccountSettings& settings, state::AccountRow account);

}  // namespace popsync::sync
