// SPDX-License-Identifier: MIT
// From an account's row to its open mailstore: made when its path is new to the account, else recognised; never made anew where it was before.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>

#include "delivery/maildir.h"
#include "delivery/mbox.h"
#include "state/state_store.h"
#include "sync/account_settings.h"

namespace popsync::sync {

struct OpenMailstore {
  state::MailstoreRow row;
  std::optional<delivery::Maildir> maildir;  // one of the two
  std::optional<delivery::Mbox> mbox;
  bool ahead = false;  // of the state, which is older: put back from a backup

  delivery::StagingFolder& staging() { return maildir ? maildir->staging() : mbox->staging(); }
  std::uint64_t free_octets() { return maildir ? maildir->free_octets() : mbox->free_octets(); }
  // False if the file system cannot sync folders: a power cut may undo what was published.
  bool can_sync() { return maildir ? maildir->can_sync() : mbox->can_sync(); }
  // On the file system of the folder `path`; false if there is none.
  bool shares_device(const std::string& path) { return maildir ? maildir->shares_device(path) : mbox->shares_device(path); }
};

delivery::MailstoreOwner owner_of(const state::StateStore& store, const state::AccountRow& account);

// The mailstore that the account has used before, at this path or, a Maildir, elsewhere (moved_mailstore.h); empty if it is new to the account, after
// making sure that one could be made there. Makes nothing. Throws Stopped where the operator has to say what is meant, also because of mailstores of
// earlier; Errors: mailstore_unavailable, mailstore_foreign.
// An account of a Maildir that was filled under a lost state has its id by now (lost_state.h); the Maildir is new to the state all the same.
std::optional<OpenMailstore> find_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// The mailstore of a row, for looking or settling, whatever its generation says; of `target` only how it is locked counts. Errors:
// mailstore_unavailable, mailstore_foreign.
OpenMailstore open_as_it_is(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& row,
                            const MailstoreTarget& target = {});

// One that the account has left, to settle what is unfinished in it; no mbox is made anew. Errors: mailstore_unavailable, mailstore_foreign.
OpenMailstore open_earlier(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& row);

// As find_mailstore(), and makes it if it is new. One that was filled under a lost state is marked: files in it may be of messages that no row knows.
// Errors: mailstore_unavailable, mailstore_foreign.
OpenMailstore open_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// Does a Maildir of this state name the account, so that it was filled for it, under a lost database perhaps?
bool is_remembered(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// Before anything else is done with it, under the account's lock: keeps out sessions of other states (a copy of this one), has the id file name the
// account as it is now, and marks a Maildir that is ahead of an older state. Throws Error lock_held.
void take_into_use(state::StateStore& store, Fs& fs, const state::AccountRow& account, OpenMailstore& mailstore);

// The id file of the Maildir at `path` names the account as it is now, so that a lost state is known again by it.
void name_owner(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path);

// At a path that is new to the account, whatever is there. Errors: mailstore_unavailable, mailstore_foreign.
OpenMailstore make_new_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// A mailstore of the account whose Maildir has lost its id or was put back from a backup: it is made what it was, with the id and the generation that
// are there; the caller holds a transaction and records both. `unfinished`: messages are staged for it.
OpenMailstore make_again(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target,
                         const state::MailstoreRow& row, bool unfinished);

// Those of the wanted names whose messages are in the mailstore. Of an mbox at least: a reader may be rewriting it.
std::unordered_set<std::string> present_in(OpenMailstore& mailstore, std::span<const std::string> wanted);

}  // namespace popsync::sync
