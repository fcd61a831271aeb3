// SPDX-License-Identifier: MIT
// From an account's row to its open Maildir: made when its path is new to the account, else recognised; never made anew where it was before.
#pragma once

#include <optional>
#include <string>

#include "delivery/maildir.h"
#include "state/state_store.h"

namespace popsync::sync {

struct OpenMailstore {
  state::MailstoreRow row;
  delivery::Maildir maildir;
};

delivery::MailstoreOwner owner_of(const state::StateStore& store, const state::AccountRow& account);

// The Maildir at a path that the account has used before; empty if the path is new to it, after making sure that a Maildir could be made there.
// Makes nothing. Errors: mailstore_unavailable, mailstore_foreign.
std::optional<OpenMailstore> find_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path);

// The same, and makes it if it is new. Errors: mailstore_unavailable, mailstore_foreign.
OpenMailstore open_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path);

// The operator says that what is at `path` now is meant: its id (made if missing) and its generation are taken as they are.
OpenMailstore accept_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path);

}  // namespace popsync::sync
