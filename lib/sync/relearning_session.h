// SPDX-License-Identifier: MIT
// The part of a session that learns a lost or older state again from the names of the files (relearning.h). All of it is one commit, before anything
// is fetched: killed before it, the next session finds the same and does the same; killed after it, the messages are known. What is learnt so is SEEN
// and never deleted on the server. Used by one thread, with the account's lock held.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "net/pop3_client.h"
#include "state/state_store.h"
#include "sync/account_sync.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

struct RelearningContext {
  state::StateStore& store;
  Fs& fs;
  const Clock& clock;
  const state::AccountRow& account;
  OpenMailstore& mailstore;
};

struct Relearnt {
  std::uint64_t here = 0;      // recorded as SEEN
  std::uint64_t not_here = 0;  // listed, with neither row nor file
};

// Whatever mark the mailstore has.
Relearnt relearn(const RelearningContext& context, const net::MaildropListing& listing);

// Does nothing in a mailstore that is not marked. The mark stays for kForgetAge: the listing of today may be short, and what a later one brings back
// is looked for among the files too.
void relearn_if_marked(const RelearningContext& context, const net::MaildropListing& listing, bool server_hides_messages);

// The operator wants messages again whose files are here (refetch): what a file's name says does not count from now on.
void forget_marks(state::StateStore& store, Fs& fs, const state::AccountRow& account);

struct Rebuilt {
  std::uint64_t recognised = 0;
  std::uint64_t to_fetch = 0;  // of those listed, what the next sync fetches
};

// popsync rebuild: logs in, lists, learns, quits. Fetches and deletes nothing. Throws Error.
Rebuilt rebuild_account(const SyncServices& services, const SyncRequest& request);

}  // namespace popsync::sync
