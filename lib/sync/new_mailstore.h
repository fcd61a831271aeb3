// SPDX-License-Identifier: MIT
// What is looked at before mail goes to a path that is new to the account. Whoever finds mail there asks: fetched into it, it would be there twice.
#pragma once

#include "base/fs.h"
#include "state/state_store.h"
#include "sync/account_settings.h"

namespace popsync::sync {

// Throws Error mailstore_unavailable or mailstore_foreign if no mailstore of the account can be made at the path, Stopped (lost_state, foreign_mail)
// if one may be, should the operator say so. Makes nothing.
void refuse_new(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// Throws Stopped (lost_state) for an mbox with mail of ours, if no account of the state has used it and this one knows no message: the state was
// lost (an mbox has no id file to learn from), or the account forgotten, and fetching into it would double what it holds. Null: there is no state.
void refuse_lost_mbox(state::StateStore* store, Fs& fs, const state::AccountRow& account, const std::string& path);

// Throws Stopped (foreign_mail) for a Maildir or mbox that holds mail and no mark of popsync, if the account knows no message: another program has
// fetched what is there, from this maildrop perhaps, and nothing would tell what is on the server as well. Null: there is no state.
void refuse_foreign_mail(state::StateStore* store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

}  // namespace popsync::sync
