// SPDX-License-Identifier: MIT
// Compares a complete listing of the maildrop with the rows of the account and decides what this session does. Pure: no clock, no disk, no socket.
// Carrying a plan out and planning again over the same listing gives a plan that fetches nothing.
//
// A unique-id is nearly a key (RFC 1939 section 7 promises more than servers keep), so within one unique-id entries and rows are matched by
// list_size, and what does not match is retrieved and compared by content before anything is believed (docs/durability.md).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "pop3/types.h"
#include "state/rows.h"
#include "sync/account_settings.h"
#include "sync/row_age.h"

namespace popsync::sync {

constexpr std::uint32_t kTriesMax = 3;         // refused by the server so often, or breaking the session: held until the operator asks for it
constexpr std::uint32_t kDeletionsMax = 3;     // DELE that did not last so often: no more of it
constexpr std::uint64_t kForgetListings = 10;  // a row is forgotten when it was missing from so many complete listings
// On a server without UIDL nothing but its size tells a held message from a later one, so what is held is tried again after this time.
constexpr std::chrono::hours kHeldTriedAgainAfter{24};
constexpr std::chrono::days kForgetAge{30};  // and for so long: capped views (Gmail) bring messages back
// So many rows that an outage put in doubt are confirmed each; of more a sample of so many speaks for all. A server that has mixed up its messages
// has not mixed up one in a thousand, and an outage must not cost a look at each of 50,000.
constexpr std::size_t kSampleMax = 100;
constexpr std::size_t kSampleEnds = 10;  // of the newest and of the oldest: a mailbox that was made anew differs there

struct PlanPolicy {
  LeavePolicy leave;
  std::uint64_t max_message_size = 0;
  bool unique_ids = true;
  bool sizes_mean_something = true;  // false: the account is size_unstable
  bool hides_messages = false;       // Gmail
  RowAges ages = {};
  std::uint64_t complete_listings = 0;
  std::uint64_t last_listing_count = 0;  // not counting empty ones
};

// A row that a message may be.
struct Candidate {
  state::RowId row = 0;
  bool has_prints = false;
  bool free = true;           // no other entry matched it
  bool removable = false;     // may be deleted on the server, once its content was seen again
  bool size_differs = false;  // the entry has another list_size
};

struct Fetch {
  pop3::ListingEntry entry;
  std::size_t occurrence = 1;          // k of UID#k
  std::vector<Candidate> candidates;   // empty: new; else the content decides
  std::vector<state::RowId> replaces;  // held rows that go when the message is stored
  std::uint32_t tries = 0;             // failures so far
  state::RowId tried_row = 0;          // where they are counted; 0: no row yet
  bool apart = false;                  // failed before: in a session of its own, so that whatever it does, the others are here by then
  bool known = false;                  // a row stands for the entry already
  bool remove_if_equal = false;        // its deletion is due, but only after its content was seen in this session
  bool gave_up_deleting = false;       // it came back after each of kDeletionsMax deletions
};

struct Removal {
  state::RowId row = 0;
  pop3::MessageNumber number;
};

struct Hold {
  pop3::ListingEntry entry;
  std::size_t occurrence = 1;  // k of UID#k
};

// A row that is listed and whose message has to be recognised before more is believed: it is in doubt, or its deletion is due.
struct Confirmation {
  Fetch fetch;          // by RETR; `remove_if_equal`: its deletion is due
  bool by_top = false;  // a header is proof enough
  state::Doubt doubt = state::Doubt::none;
  WallTime stored_at{};
};

struct FetchPlan {
  std::vector<Fetch> fetch;                                         // in the order of message-numbers, those to be fetched apart last
  std::vector<Confirmation> confirm;                                // first what is in doubt, then what is due; each the oldest first
  std::vector<state::RowId> vouched;                                // listed and in doubt, and the sample among `confirm` speaks for them
  std::size_t put_off = 0;                                          // listed and in doubt, until the sample at hand is through
  std::vector<std::pair<state::RowId, state::Doubt>> doubts;        // from now on
  std::vector<Hold> hold;                                           // too big, not held yet
  std::vector<std::pair<state::RowId, std::uint64_t>> first_sizes;  // rows that had no list_size
  std::vector<state::RowId> absent;                                 // missing for the first time, or listed again and to be settled
  std::vector<state::RowId> returned;                               // missing before, here again, nothing to settle
  std::vector<state::RowId> forget;
  bool counts_as_listing = false;  // some row is missing and the listing is credible
  std::uint64_t known = 0;         // entries that need nothing, or only their deletion
  std::uint64_t octets = 0;        // list sizes of what is fetched

  [[nodiscard]] bool changes_rows() const {
    return !doubts.empty() || !hold.empty() || !first_sizes.empty() || !absent.empty() || !returned.empty() || !forget.empty();
  }
  // Messages whose deletion on the server is due.
  [[nodiscard]] std::vector<Removal> due() const;
};

// How an entry is told to the user.
struct EntryName {
  const state::MessageRow* row = nullptr;  // that stands for it, as far as the listing tells; of `rows`
  std::size_t occurrence = 1;              // k of UID#k: that of its row (RowNames); entries without one are counted on behind the rows
};

// In the order of the listing.
std::vector<EntryName> name_entries(std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows, const PlanPolicy& policy);

FetchPlan plan_fetch(std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows, const PlanPolicy& policy);

}  // namespace popsync::sync
