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
// Maildir throws: an id is for good, so one that may be there and cannot be read must not be replaced by a new one.
std::string remembered_id(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore);

// As resolve_account(), and an account that is new to the database gets the id by which its Maildir remembers it.
state::AccountRow resolve_remembered(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore, std::span<const std::string> configured);

ConfiguredMailstore configured_mailstore(const AccountSettings& settings);

}  // namespace popsync::sync
