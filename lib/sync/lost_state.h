// SPDX-License-Identifier: MIT
// A state that was lost is known again by its Maildirs: their id files name its key and its accounts (docs/durability.md, A lost or older state). The
// key is taken over before a new state is made, each account's id at its first session, and what was fetched is learnt from the names of the files
// then (relearning.h).
#pragma once

#include <span>
#include <string>

#include "base/fs.h"
#include "state/state_store.h"
#include "sync/account_identity.h"
#include "sync/account_settings.h"

namespace popsync::sync {

struct ConfiguredMailstore {
  ConfiguredAccount account;
  std::string path;  // of its Maildir; empty if it has another kind of mailstore
};

// The install key to begin a state with: that of the first Maildir which names the account's user and host, if there is neither key nor database in
// `state_dir`; else empty. One state has one key: a Maildir of yet another state stops its account later. Throws Error mailstore_foreign if a session
// of the other state is running: it is not lost.
std::string lost_install_key(Fs& fs, const std::string& state_dir, std::span<const ConfiguredMailstore> mailstores);

// The id under which a Maildir of this state remembers the account, if the database has never heard of it; else empty. Throws what looking at the
// Maildir throws.
std::string remembered_id(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore);

// The same, and empty if the account has done anything under the id that it has: that one is for good. An account whose Maildir cannot be looked at
// does nothing, so it takes the id once the Maildir can be read.
std::string id_to_take(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore, const state::AccountRow& account);

// The account has the id from now on, with all that its row tells. Under the account's lock.
state::AccountRow take_id(state::StateStore& store, const state::AccountRow& account, const std::string& id);

// As resolve_account(), and the account takes the id by which its Maildir remembers it. Throws Error lock_held if it would and a session is running.
state::AccountRow resolve_remembered(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore, std::span<const std::string> configured);

ConfiguredMailstore configured_mailstore(const AccountSettings& settings);

}  // namespace popsync::sync
