// SPDX-License-Identifier: MIT
// What a session sees of the maildrop: all of it, or, where the last session's listing still holds, what has come since.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "net/pop3_client.h"
#include "state/state_store.h"
#include "sync/account_settings.h"

namespace popsync::sync {

struct MaildropLook {
  net::MaildropListing listing;                 // not complete: the new messages alone
  std::optional<state::KnownListing> maildrop;  // to compare with next time, once every message of it is dealt with
  std::optional<pop3::UniqueId> in_front;       // of a listing that is not complete: the message before it
};

struct LookContext {
  net::Pop3Client& client;
  state::StateStore& store;
  const Clock& clock;
  const AccountSettings& settings;
  const state::AccountRow& account;
  std::function<void()> meanwhile = {};       // called once, beside the network where the maildrop is listed whole
  net::Beside beside = net::Beside::nothing;  // of a complete listing
};

// The last session's listing, if a glance may be compared with it: nothing is due and the policy is that of then.
std::optional<state::KnownListing> listing_to_compare(state::StateStore& store, const Clock& clock, const AccountSettings& settings,
                                                      const state::AccountRow& account, const state::ServerMemory& memory);

// The message that the glance asks for.
pop3::MessageNumber last_number(const state::KnownListing& listing);

// `last` is what listing_to_compare() gave; empty: the maildrop is listed whole. The server's own first message is left out.
MaildropLook look_at_maildrop(const LookContext& context, const std::optional<state::KnownListing>& last);

}  // namespace popsync::sync
