// SPDX-License-Identifier: MIT
// A Maildir is known again where it lies now: its id says that it is the one the account has used at another path. The account's rows follow it
// there, those that are STAGED too, because its staging folder has moved with it. An mbox has no id; what was staged for one that is gone:
// recovery.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "state/state_store.h"
#include "sync/account_settings.h"

namespace popsync::sync {

struct KnownMailstore {
  state::MailstoreRow row;             // with the path it has now and the highest generation of all its rows
  std::vector<state::RowId> merged;    // other rows of the same Maildir, under paths where it is no more
  std::vector<std::string> old_paths;  // where it was; empty: the state tells where it is

  [[nodiscard]] bool moved() const { return !old_paths.empty(); }
  // Is it the mailstore of that row?
  [[nodiscard]] bool is(state::RowId mailstore) const;
};

// The mailstore at the target's path, if the account has used it there or elsewhere. Changes nothing. Throws Stopped (copied) if the Maildir is at
// its old path as well: then one of them is a copy, and only the operator knows which is meant. An old path that cannot be looked at counts as gone.
// Throws Error mailstore_unavailable if the account had a mailstore of the other kind at this path.
std::optional<KnownMailstore> known_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// Before a mailstore is opened, under the account's lock: the rows of one that was moved follow it, in one commit. Throws what known_mailstore()
// throws.
void follow_moved_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

}  // namespace popsync::sync
