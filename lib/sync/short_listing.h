// SPDX-License-Identifier: MIT
// When a glance at the maildrop (STAT and one unique-id) may stand for its complete listing. Pure. The order of messages is a habit of servers and no
// promise (RFC 1939 promises nothing from one session to the next), so a glance is believed only as long as nothing at all contradicts it, never for
// long, and it proves no absence: whoever sees less than the whole maildrop forgets nothing. In doubt the maildrop is listed whole.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "net/pop3_client.h"
#include "state/server_memory.h"

namespace popsync::sync {

constexpr std::chrono::hours kCompleteListingAge{24};  // a glance cannot see two changes that cancel each other; so long they may stay unseen
constexpr std::uint32_t kLooksMax = 100;               // and so many polls
// New messages that are listed one by one where each answer costs two round trips; beyond that the complete listing is quicker.
constexpr std::uint32_t kListedInTurnMax = 4;

// May the session begin with a glance? `policy` is what would be done with a message today.
bool may_glance(const std::optional<state::KnownListing>& listing, const std::string& policy, bool due_work, WallTime now);

enum class Seen { nothing_new, new_messages, unclear };
struct Judgement {
  Seen seen = Seen::unclear;
  std::uint32_t fresh = 0;  // of new_messages: so many, behind those that are known
};
Judgement judge(const state::KnownListing& listing, const net::Glance& glance, bool pipelining);

// Are these, listed one by one, messages that have come behind the known ones? Not if one of their unique-ids is known or occurs twice, or if their
// sizes are not what the maildrop has grown by.
bool fits(const state::KnownListing& listing, const pop3::DropListing& drop, std::span<const pop3::ListingEntry> fresh,
          const std::function<bool(const pop3::UniqueId&)>& known);

// The maildrop to compare with next time: listed whole, or grown by what came. Empty if the listing has gaps or lines without sense. `drop` is what
// STAT said in the same session, if it was asked.
std::optional<state::KnownListing> known_listing(const net::MaildropListing& listing, const std::optional<pop3::DropListing>& drop,
                                                 const std::string& policy, WallTime now);
state::KnownListing grown(state::KnownListing listing, const pop3::DropListing& drop, std::span<const pop3::ListingEntry> fresh);

// The same when the server has deleted these. `entries` end with the maildrop's last message; `in_front` is the unique-id of the message before them.
// Empty if it cannot be told.
std::optional<state::KnownListing> without(state::KnownListing listing, std::span<const pop3::ListingEntry> entries,
                                           const std::optional<pop3::UniqueId>& in_front, std::span<const pop3::MessageNumber> deleted);

}  // namespace popsync::sync
