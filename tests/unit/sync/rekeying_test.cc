// SPDX-License-Identifier: MIT
#include "sync/rekeying.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace popsync::sync {
namespace {

using pop3::ListingEntry;
using pop3::MessageNumber;
using state::MessageRow;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

const WallTime kNow = from_unix_seconds(1'700'000'000);
using Size = std::optional<std::uint64_t>;

// ---- suspicion

std::vector<ListingEntry> listing_of(const std::string& prefix, std::size_t count, std::uint64_t first_size = 100) {
  std::vector<ListingEntry> listing;
  for (std::size_t i = 0; i < count; ++i) {
    listing.push_back({.number = MessageNumber{static_cast<std::uint32_t>(i + 1)}, .uid = {prefix + std::to_string(i)}, .list_size = first_size + i});
  }
  return listing;
}

std::vector<MessageRow> rows_of(const std::string& prefix, std::size_t count, std::uint64_t first_size = 100) {
  std::vector<MessageRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    MessageRow row;
    row.id = static_cast<state::RowId>(i + 1);
    row.uid = {prefix + std::to_string(i)};
    row.list_size = first_size + i;
    row.removable = true;
    row.stored_at = kNow;
    rows.push_back(row);
  }
  return rows;
}

template <typename T>
std::vector<T> joined(std::vector<T> left, const std::vector<T>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST(RekeyingSuspicion, NewUniqueIdsForEverythingAreSuspicious) {
  const Mismatch found = compare(listing_of("new", 5), rows_of("old", 5), {}, false);
  EXPECT_TRUE(found.suspicious && found.whole_listing);
  EXPECT_EQ(found.unknown.size(), 5U);
  EXPECT_EQ(found.unlisted.size(), 5U);
}

TEST(RekeyingSuspicion, NothingStoredIsNoMigration) { EXPECT_FALSE(compare(listing_of("new", 50), {}, {}, false).suspicious); }

TEST(RekeyingSuspicion, ThreeRowsMustHaveVanished) {
  EXPECT_FALSE(compare(listing_of("new", 9), rows_of("old", kVanishedMin - 1), {}, false).suspicious);
  EXPECT_TRUE(compare(listing_of("new", 9), rows_of("old", kVanishedMin), {}, false).suspicious);
}

TEST(RekeyingSuspicion, FourFifthsOfTheListingMustBeUnknown) {
  const auto suspicious = [](std::size_t known, std::size_t unknown) {
    return compare(joined(listing_of("known", known), listing_of("new", unknown)), joined(rows_of("known", known), rows_of("old", 5)), {}, false)
        .suspicious;
  };
  EXPECT_TRUE(suspicious(2, 8));
  EXPECT_FALSE(suspicious(3, 11));
  EXPECT_FALSE(suspicious(5, 1));
  EXPECT_FALSE(suspicious(5, 0));
}

TEST(RekeyingSuspicion, WhatWasAbsentBeforeHasNotVanishedNow) {
  auto rows = rows_of("old", 5);
  for (MessageRow& row : rows) row.absent_since = kNow;  // so is a row after a DELE that QUIT confirmed
  EXPECT_FALSE(compare(listing_of("new", 5), rows, {}, false).suspicious);
}

TEST(RekeyingSuspicion, AnEmptyListingIsNoMigration) { EXPECT_FALSE(compare({}, rows_of("old", 5), {}, true).suspicious); }

TEST(RekeyingSuspicion, NumbersThatMovedToOtherMessagesAreUnknown) {
  // The unique-ids are numbers, and a maildrop made anew counts from 1: the same unique-ids, other sizes.
  const Mismatch found = compare(listing_of("", 5, 101), rows_of("", 5, 100), {}, false);
  EXPECT_EQ(found.unknown.size(), 5U);
  EXPECT_TRUE(found.suspicious);
}

TEST(RekeyingSuspicion, AMissingSizeFitsAnyAndSizesThatSayNothingAreNotLookedAt) {
  auto listing = listing_of("a", 5);
  for (ListingEntry& entry : listing) entry.list_size.reset();
  EXPECT_THAT(compare(listing, rows_of("a", 5), {}, true).unknown, IsEmpty());
  PlanPolicy policy;
  policy.sizes_mean_something = false;
  EXPECT_THAT(compare(listing_of("a", 5, 900), rows_of("a", 5), policy, true).unknown, IsEmpty());
}

TEST(RekeyingSuspicion, TheRuleIsOffWhereAbsenceProvesNothing) {
  PlanPolicy gmail;
  gmail.hides_messages = true;
  EXPECT_FALSE(compare(listing_of("new", 5), rows_of("old", 5), gmail, true).suspicious);
  PlanPolicy no_uidl;
  no_uidl.unique_ids = false;
  EXPECT_FALSE(compare(listing_of("", 5), rows_of("", 5, 500), no_uidl, true).suspicious);
}

TEST(RekeyingSuspicion, AMaildropThatIsMovedPieceByPieceIsFollowed) {
  auto rows = joined(rows_of("moved", 5), rows_of("old", 5));
  for (MessageRow& row : rows) row.absent_since = kNow;
  const auto listing = joined(listing_of("moved", 5), listing_of("new", 1));
  EXPECT_FALSE(compare(listing, rows, {}, false).suspicious);
  EXPECT_TRUE(compare(listing, rows, {}, true).suspicious);
  EXPECT_FALSE(compare(listing, rows, {}, true).whole_listing);
}

TEST(RekeyingSuspicion, SessionsThatRekeyEverythingAreCountedUntilAQuietOne) {
  const Mismatch all = compare(listing_of("new", 5), rows_of("old", 5), {}, false);
  Mismatch piece = all;
  piece.whole_listing = false;
  const Mismatch quiet = compare(listing_of("a", 5), rows_of("a", 5), {}, false);
  EXPECT_EQ(count_rekeyings(0, all, true), 1U);
  EXPECT_EQ(count_rekeyings(2, all, true), 3U);
  EXPECT_EQ(count_rekeyings(1, piece, true), 1U);  // piece by piece is one migration
  EXPECT_EQ(count_rekeyings(0, quiet, false), 0U);
  EXPECT_EQ(count_rekeyings(3, quiet, false), 1U);  // still followed, no longer restless
  EXPECT_EQ(count_rekeyings(1, all, false), 0U);    // new mail, and nothing that we know: it is over
}

// ---- which message is which

struct Known {
  state::RowId row;
  std::string hash;
  Size size;
  bool vanished = true;
  std::string uid = "old";
};

struct Listed {
  std::string uid;
  std::string hash;
  Size size;
  bool message_id = true;
};

std::vector<UnlistedRow> unlisted(const std::vector<Known>& rows) {
  std::vector<UnlistedRow> out;
  for (const Known& row : rows) {
    out.push_back({.row = row.row,
                   .uid = {row.uid + std::to_string(row.row)},
                   .list_size = row.size,
                   .vanished = row.vanished,
                   .dele_sent = false,
                   .header_hash = row.hash});
  }
  return out;
}

std::vector<ListedHeader> headers(const std::vector<Listed>& listed) {
  std::vector<ListedHeader> out;
  std::uint32_t number = 0;
  for (const Listed& each : listed) {
    out.push_back({.entry = {.number = MessageNumber{++number}, .uid = {each.uid}, .list_size = each.size},
                   .header_hash = each.hash,
                   .has_message_id = each.message_id});
  }
  return out;
}

std::vector<std::pair<state::RowId, std::string>> matched(const std::vector<Listed>& listed, const std::vector<Known>& rows, bool following = false) {
  std::vector<std::pair<state::RowId, std::string>> out;
  for (const Rekeying& each : match(headers(listed), unlisted(rows), following)) out.emplace_back(each.row, each.uid.octets);
  return out;
}

TEST(RekeyingMatch, EqualHeadersAndSizesAreTheSameMessages) {
  EXPECT_THAT(matched({{"x", "A", 1}, {"y", "B", 2}}, {{1, "A", 1}, {2, "B", 2}}), UnorderedElementsAre(Pair(1, "x"), Pair(2, "y")));
}

TEST(RekeyingMatch, WhatIsNotRecognisedIsLeftToBeFetched) {
  EXPECT_THAT(matched({{"x", "A", 1}, {"new", "N", 2}}, {{1, "A", 1}, {2, "gone", 2}}), ElementsAre(Pair(1, "x")));
}

TEST(RekeyingMatch, NoHeaderFoundAgainMeansNewMail) { EXPECT_THAT(matched({{"x", "N", 1}, {"y", "M", 2}}, {{1, "A", 1}, {2, "B", 2}}), IsEmpty()); }

TEST(RekeyingMatch, ARowThatWasLongGoneDoesNotMakeAMigration) {
  EXPECT_THAT(matched({{"x", "A", 1}}, {{1, "A", 1, false}, {2, "B", 2}}), IsEmpty());
  EXPECT_THAT(matched({{"x", "A", 1}}, {{1, "A", 1, false}, {2, "B", 2}}, true), ElementsAre(Pair(1, "x")));
  // but is recognised in one
  EXPECT_THAT(matched({{"x", "A", 1}, {"y", "B", 2}}, {{1, "A", 1, false}, {2, "B", 2}}), UnorderedElementsAre(Pair(1, "x"), Pair(2, "y")));
}

TEST(RekeyingMatch, EqualHeadersArePairedBySizeOneToOne) {
  EXPECT_THAT(matched({{"x", "A", 20}, {"y", "A", 10}}, {{1, "A", 10}, {2, "A", 20}}), UnorderedElementsAre(Pair(1, "y"), Pair(2, "x")));
  EXPECT_THAT(matched({{"x", "A", 10}, {"y", "A", 10}}, {{1, "A", 10}, {2, "A", 10}}), UnorderedElementsAre(Pair(1, "x"), Pair(2, "y")));
  EXPECT_THAT(matched({{"x", "A", 10}, {"y", "A", 10}}, {{1, "A", 10}}), ElementsAre(Pair(1, "x")));
}

TEST(RekeyingMatch, WithAMessageIdASizeMayHaveChanged) {
  const auto found = match(headers({{"x", "A", 11}, {"y", "B", 2}}), unlisted({{1, "A", 10}, {2, "B", 2}}), false);
  ASSERT_EQ(found.size(), 2U);
  for (const Rekeying& each : found) EXPECT_EQ(each.same_size, each.row == 2);
}

TEST(RekeyingMatch, AnUnknownSizeIsNotTheSame) {
  for (const auto& [listed, stored] : {std::pair<Size, Size>{{}, 10}, {10, {}}, {{}, {}}}) {
    const auto found = match(headers({{"x", "A", listed}}), unlisted({{1, "A", stored}}), false);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE(found[0].same_size);
  }
}

TEST(RekeyingMatch, WithoutAMessageIdTheSizeMustBeEqual) {
  EXPECT_THAT(matched({{"x", "A", 11, false}, {"y", "B", 2, false}}, {{1, "A", 10}, {2, "B", 2}}), ElementsAre(Pair(2, "y")));
}

TEST(RekeyingMatch, MoreSuchMessagesThanRowsAreFetched) {
  // One of the two is new, and nothing tells which: taking the wrong one for known would lose the other.
  EXPECT_THAT(matched({{"x", "A", 11}, {"y", "A", 12}, {"z", "B", 2}}, {{1, "A", 10}, {2, "B", 2}}), ElementsAre(Pair(2, "z")));
}

TEST(RekeyingMatch, AnotherCopyOfOneMessageIsNoMigration) {
  // The maildrop was emptied by hand; then a list's copy of a message that we had comes in.
  EXPECT_THAT(matched({{"x", "A", 11}}, {{1, "A", 10}, {2, "B", 2}, {3, "C", 3}}), IsEmpty());
}

TEST(RekeyingMatch, TheSameUniqueIdWithAnotherSizeIsSettledByContent) {
  EXPECT_THAT(matched({{"old1", "A", 11}, {"old2", "B", 12}}, {{1, "A", 10}, {2, "B", 20}}), IsEmpty());
  // beside a real migration too
  EXPECT_THAT(matched({{"old1", "A", 11}, {"y", "B", 20}}, {{1, "A", 10}, {2, "B", 20}}), ElementsAre(Pair(2, "y")));
}

TEST(RekeyingMatch, NumbersThatMovedFollowTheirMessages) {
  EXPECT_THAT(matched({{"old1", "B", 2}, {"old2", "C", 3}}, {{1, "A", 1}, {2, "B", 2}, {3, "C", 3}}),
              UnorderedElementsAre(Pair(2, "old1"), Pair(3, "old2")));
}

TEST(RekeyingMatch, SeededMessagesAreMatchedBySizeBesideRecognisedOnes) {
  EXPECT_THAT(matched({{"s", "S", 7}, {"x", "A", 1}, {"new", "N", 9}}, {{1, "", 7}, {2, "A", 1}}), UnorderedElementsAre(Pair(1, "s"), Pair(2, "x")));
}

TEST(RekeyingMatch, SizesAloneMakeNoMessageKnown) {
  EXPECT_THAT(matched({{"s", "S", 7}, {"t", "T", 8}}, {{1, "", 7}, {2, "", 8}, {3, "A", 1}}), IsEmpty());
  // nor beside one header among many that is found again
  EXPECT_THAT(matched({{"s", "S", 7}, {"x", "A", 1}}, {{1, "", 7}, {2, "A", 1}, {3, "B", 2}, {4, "C", 3}}), ElementsAre(Pair(2, "x")));
  // nor by rows that are long gone
  EXPECT_THAT(matched({{"s", "S", 7}, {"x", "A", 1}}, {{1, "", 7, false}, {2, "A", 1}}), ElementsAre(Pair(2, "x")));
}

TEST(RekeyingMatch, AMessageWithoutHeaderFromTheServerIsMatchedToNoStoredOne) {
  EXPECT_THAT(matched({{"x", "", 1}, {"y", "B", 2}}, {{1, "A", 1}, {2, "B", 2}}), ElementsAre(Pair(2, "y")));
}

TEST(RekeyingProbes, AHeaderOrASeededSizeFoundAgainIsWorthAskingForAll) {
  const auto worth = [](const std::vector<Listed>& probes, const std::vector<Known>& rows) {
    return worth_asking_for_all(headers(probes), unlisted(rows));
  };
  EXPECT_TRUE(worth({{"n", "N", 1}, {"x", "A", 5}}, {{1, "A", 1}}));
  EXPECT_TRUE(worth({{"s", "S", 7}}, {{1, "A", 1}, {2, "", 7}}));
  EXPECT_FALSE(worth({{"n", "N", 1}}, {{1, "A", 1}}));  // the size of a message whose header we know says nothing
  EXPECT_FALSE(worth({{"s", "S", 7}}, {{1, "A", 1}, {2, "", 7, false}}));
  EXPECT_FALSE(worth({{"n", "", {}}}, {{1, "", {}}}));
}

TEST(RekeyingSizes, HalfOfBothSidesMustBeEqual) {
  const auto alike = [](const std::vector<std::uint64_t>& listed, const std::vector<std::uint64_t>& stored) {
    std::vector<ListingEntry> unknown;
    for (const std::uint64_t size : listed) unknown.push_back({.number = {}, .uid = {}, .list_size = size});
    std::vector<Known> rows;
    for (const std::uint64_t size : stored) rows.push_back({static_cast<state::RowId>(rows.size() + 1), "A", size});
    return sizes_look_alike(unknown, unlisted(rows));
  };
  EXPECT_TRUE(alike({1, 2, 3}, {1, 2, 3}));
  EXPECT_TRUE(alike({1, 2, 8, 9}, {1, 2, 3, 4}));
  EXPECT_FALSE(alike({1, 7, 8, 9}, {1, 2, 3, 4}));
  EXPECT_FALSE(alike({5, 5, 5, 5}, {5, 1, 2, 3}));  // one row stands for one message
  EXPECT_FALSE(alike({1, 2}, {1, 2, 3, 4, 5}));     // emptied by hand, then new mail of a common size
  EXPECT_FALSE(alike({1, 2}, {1, 2}));              // fewer than kVanishedMin
}

TEST(RekeyingSizes, WhatOurOwnDeletionMayHaveTakenSaysNothing) {
  std::vector<ListingEntry> unknown;
  for (const std::uint64_t size : {1U, 2U, 3U}) unknown.push_back({.number = {}, .uid = {}, .list_size = size});
  auto rows = unlisted({{1, "A", 1}, {2, "B", 2}, {3, "C", 3}});
  EXPECT_TRUE(sizes_look_alike(unknown, rows));
  for (UnlistedRow& row : rows) row.dele_sent = true;
  EXPECT_FALSE(sizes_look_alike(unknown, rows));
}

// ---- whatever the maildrop: no row and no unique-id twice, equal messages only, and a maildrop that only changed its unique-ids is found again
// whole

TEST(RekeyingProperty, PairsAreOneToOneAndOfEqualHeaders) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<Known> rows;
    std::vector<Listed> listed;
    const auto hash = [&] { return random() % 6 == 0 ? std::string() : std::string(1, static_cast<char>('A' + random() % 12)); };
    for (std::size_t i = random() % 12; i > 0; --i) rows.push_back({static_cast<state::RowId>(i), hash(), 1 + random() % 5, random() % 4 != 0});
    for (std::size_t i = random() % 12; i > 0; --i) {
      const std::string print = hash();
      listed.push_back({"new" + std::to_string(i), print, 1 + random() % 5, !print.empty() && print < "G"});
    }
    std::set<state::RowId> seen_rows;
    std::set<std::string> seen_uids;
    for (const Rekeying& each : match(headers(listed), unlisted(rows), random() % 2 == 0)) {
      EXPECT_TRUE(seen_rows.insert(each.row).second);
      EXPECT_TRUE(seen_uids.insert(each.uid.octets).second);
      const auto row = std::ranges::find(rows, each.row, &Known::row);
      const auto entry = std::ranges::find(listed, each.uid.octets, &Listed::uid);
      EXPECT_TRUE(row->hash.empty() ? row->vanished : row->hash == entry->hash);
      EXPECT_EQ(each.same_size, row->size == entry->size);
      EXPECT_TRUE(each.same_size || entry->message_id);
    }
  }
}

TEST(RekeyingProperty, AMaildropThatOnlyChangedItsUniqueIdsIsFoundAgainWhole) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 1000 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<Known> rows;
    std::vector<Listed> listed;
    for (std::size_t i = 0, count = 3 + random() % 20; i < count; ++i) {
      const std::string hash(1, static_cast<char>('A' + random() % 10));  // many equal headers
      const std::uint64_t size = 1 + random() % 3;
      rows.push_back({static_cast<state::RowId>(i + 1), hash, size});
      listed.push_back({"new" + std::to_string(i), hash, size, random() % 2 == 0});
    }
    std::ranges::shuffle(listed, random);
    EXPECT_EQ(matched(listed, rows).size(), rows.size());
  }
}

}  // namespace
}  // namespace popsync::sync
