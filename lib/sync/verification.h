// SPDX-License-Identifier: MIT
// Compares the rows of published messages with what is in their mailstores. Changes nothing.
#pragma once

#include <vector>

#include "base/fs.h"
#include "state/state_store.h"
#include "sync/account_settings.h"

namespace popsync::sync {

struct Verification {
  std::uint64_t published = 0;               // rows looked at
  std::vector<state::PublishedRow> missing;  // no file of that name, no entry of that marker: moved or deleted since, or lost
};

// `target`: where the account delivers to; a Maildir that was moved there is found there. What was in a mailstore that is lost is missing. Errors:
// mailstore_unavailable if a mailstore that holds rows cannot be opened.
Verification verify_account(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

}  // namespace popsync::sync
