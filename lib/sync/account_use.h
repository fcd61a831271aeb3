// SPDX-License-Identifier: MIT
// What rebuild and adopt share: an account held by its lock, with the mailstore that it fills. Throws Error.
#pragma once

#include <cstdint>

#include "net/pop3_client.h"
#include "state/account_lock.h"
#include "state/state_store.h"
#include "sync/account_sync.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

struct AccountUse {
  state::AccountRow account;
  state::FileLock lock;
};

// The account's row, made if it is new, and its lock.
AccountUse use_account(const SyncServices& services, const SyncRequest& request);

// The mailstore, if popsync has filled it, under this state or under one that was lost; else Error mailstore_unavailable, with `adopt` as the answer
// for mail of other programs.
OpenMailstore open_filled_mailstore(const SyncServices& services, const AccountSettings& settings, const state::AccountRow& account);

// Throws Error server_permanent if the listing has no unique-ids: there is nothing to remember messages by.
void require_unique_ids(const net::MaildropListing& listing, const std::string& account_name);

// What the next sync would fetch of this listing.
std::uint64_t count_to_fetch(const SyncServices& services, const AccountSettings& settings, const state::AccountRow& account,
                             const net::MaildropListing& listing);

}  // namespace popsync::sync
