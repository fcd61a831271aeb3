// SPDX-License-Identifier: MIT
// Have all unique-ids changed (a migration, a mailbox made anew, a changed format)? Then the messages are recognised by their headers and the rows
// are given the new unique-ids, in place of fetching everything again. Pure: rekeying_session.h asks the server and writes.
//
// A size is no evidence: that two messages of a large maildrop have equal sizes is likely. Sizes alone therefore never make a message known, which
// would lose new mail; at most they make us stop and ask. Where messages cannot be told apart they are fetched: twice is better than never.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sync/fetch_plan.h"

namespace popsync::sync {

constexpr std::size_t kVanishedMin = 3;         // fewer rows that vanish together are ordinary deletions
constexpr std::size_t kUnknownPercentMin = 80;  // of the listing
constexpr std::size_t kProbes = 10;             // messages looked at before all are
constexpr std::uint32_t kRekeyingsMax = 3;      // in a row: the server has no lasting unique-ids

// A row that no entry of the listing stands for.
struct UnlistedRow {
  state::RowId row = 0;
  pop3::UniqueId uid;
  std::optional<std::uint64_t> list_size;
  bool vanished = false;    // it was in the last complete listing
  bool dele_sent = false;   // our own DELE may have taken it
  std::string header_hash;  // empty: never stored by us
};

struct Mismatch {
  std::vector<pop3::ListingEntry> unknown;  // in the order of message-numbers
  std::vector<UnlistedRow> unlisted;        // those that vanished first, each in the order of their making; without header hashes
  bool whole_listing = false;               // kUnknownPercentMin are unknown and kVanishedMin rows vanished
  bool suspicious = false;                  // worth looking at headers
};

// `following`: unique-ids changed lately; a maildrop that is moved piece by piece is followed, and no share of it is asked for.
Mismatch compare(std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows, const PlanPolicy& policy, bool following);

// What the server gave as the header of an unknown message.
struct ListedHeader {
  pop3::ListingEntry entry;
  std::string header_hash;  // empty: it gave none, or not the whole
  bool has_message_id = false;
  bool refused = false;           // -ERR
  std::uint64_t body_octets = 0;  // that came behind the header, unasked
};

struct Rekeying {
  state::RowId row = 0;
  pop3::UniqueId uid;
  std::optional<std::uint64_t> list_size;
  bool same_size = false;  // otherwise only the header speaks for it, and it must not be deleted on the server
};

// May one of these be a message of ours?
bool worth_asking_for_all(std::span<const ListedHeader> probes, std::span<const UnlistedRow> unlisted);

// Pairs messages and rows one to one, by header hash and list_size. Where the headers of most vanished rows are found again also by header hash alone
// (with a Message-ID in it, and unless there are more such messages than rows), and rows without header hash by list_size. Empty if no vanished row
// is recognised by its header (`following`: none at all).
std::vector<Rekeying> match(std::span<const ListedHeader> headers, std::span<const UnlistedRow> unlisted, bool following);

// For rows that no header can be compared with: do the sizes say that these are the same messages?
bool sizes_look_alike(std::span<const pop3::ListingEntry> unknown, std::span<const UnlistedRow> unlisted);

// AccountRow::rekeyings after a session; 0: ordinary, else following.
std::uint32_t count_rekeyings(std::uint32_t before, const Mismatch& mismatch, bool rekeyed);

}  // namespace popsync::sync
