// SPDX-License-Identifier: MIT
// Mailstores that the account delivered to before and has left. What is unfinished in them is finished there, so they must be there; and who asks
// where all messages are looks into them too.
#pragma once

#include <optional>

#include "base/fs.h"
#include "state/state_store.h"
#include "sync/moved_mailstore.h"

namespace popsync::sync {

// Throws Stopped (gone) if messages are staged for one that cannot be opened. Not for an mbox that is gone where the account delivers to an mbox:
// there its entries are finished. `current` is the mailstore of today, `kind` what it is or will be.
void refuse_gone_earlier(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::optional<KnownMailstore>& current,
                         state::MailstoreKind kind);

// The same for any row that names a message in one that cannot be opened: nothing keeps mail from coming, but `verify` cannot look.
void refuse_unseen_earlier(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::optional<KnownMailstore>& current);

// The file of an mbox is at the path, and can be looked at.
bool mbox_is_there(Fs& fs, const std::string& path);

}  // namespace popsync::sync
