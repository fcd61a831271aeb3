// SPDX-License-Identifier: MIT
#include "sync/short_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace popsync::sync {
namespace {

using namespace std::chrono_literals;
using pop3::ListingEntry;
using pop3::MessageNumber;
using pop3::UniqueId;
using state::KnownListing;
using testing::ElementsAre;

const WallTime kNow = from_unix_seconds(1'700'000'000);
const std::string kPolicy = "keep";

KnownListing three() { return {.policy = kPolicy, .count = 3, .octets = 600, .last = {"c"}, .completed = kNow - 1h, .looks = 5}; }
KnownListing one() { return {.policy = kPolicy, .count = 1, .octets = 200, .last = {"c"}, .completed = kNow - 1h, .looks = 5}; }
KnownListing many() { return {.policy = kPolicy, .count = 1'000, .octets = 600, .last = {"c"}, .completed = kNow - 1h, .looks = 5}; }
KnownListing none() { return {.policy = kPolicy, .count = 0, .octets = 0, .last = {}, .completed = kNow - 1h, .looks = 5}; }

ListingEntry entry(std::uint32_t number, const std::string& uid, std::optional<std::uint64_t> size) {
  return {.number = {number}, .uid = {uid}, .list_size = size};
}

// ---- may the session begin with a glance?

TEST(ShortListing, IsAllowedBehindAListingOfTheSamePolicyWithNothingDue) { EXPECT_TRUE(may_glance(three(), kPolicy, false, kNow)); }

TEST(ShortListing, IsNotAllowedWithoutAListing) { EXPECT_FALSE(may_glance(std::nullopt, kPolicy, false, kNow)); }

TEST(ShortListing, IsNotAllowedWhileWorkIsDue) { EXPECT_FALSE(may_glance(three(), kPolicy, true, kNow)); }

TEST(ShortListing, IsNotAllowedUnderAnotherPolicy) { EXPECT_FALSE(may_glance(three(), "remove", false, kNow)); }

TEST(ShortListing, IsNotAllowedADayAfterTheCompleteOne) {
  KnownListing listing = three();
  listing.completed = kNow - 24h + 1s;
  EXPECT_TRUE(may_glance(listing, kPolicy, false, kNow));
  listing.completed = kNow - 24h;
  EXPECT_FALSE(may_glance(listing, kPolicy, false, kNow));
}

TEST(ShortListing, IsNotAllowedAfterAHundredOfThem) {
  KnownListing listing = three();
  listing.looks = kLooksMax - 1;
  EXPECT_TRUE(may_glance(listing, kPolicy, false, kNow));
  listing.looks = kLooksMax;
  EXPECT_FALSE(may_glance(listing, kPolicy, false, kNow));
}

TEST(ShortListing, IsNotAllowedWhenTheClockWasSetBack) {
  KnownListing listing = three();
  listing.completed = kNow + 1s;
  EXPECT_FALSE(may_glance(listing, kPolicy, false, kNow));
}

// ---- what the glance tells

struct Case {
  std::string what;
  KnownListing before;
  std::optional<pop3::DropListing> drop;
  std::string last;
  Seen seen;
  std::uint32_t fresh = 0;
  bool pipelining = true;
};
void PrintTo(const Case& tested, std::ostream* out) { *out << tested.what; }

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      // Nothing has changed.
      {"all the same", three(), {{.count = 3, .octets = 600}}, "c", Seen::nothing_new},
      {"empty and empty", none(), {{.count = 0, .octets = 0}}, "", Seen::nothing_new},
      // Something has come.
      {"one more", three(), {{.count = 4, .octets = 700}}, "c", Seen::new_messages, 1},
      {"as many as are listed one by one", many(), {{.count = 1'000 + 256, .octets = 99'999}}, "c", Seen::new_messages, 256},
      {"more than are listed one by one", many(), {{.count = 1'000 + 257, .octets = 99'999}}, "c", Seen::unclear},
      {"a few in turn", three(), {{.count = 3 + 4, .octets = 99'999}}, "c", Seen::new_messages, 4, false},
      {"more than a few in turn", three(), {{.count = 3 + 5, .octets = 99'999}}, "c", Seen::unclear, 0, false},
      {"two that are most of it", one(), {{.count = 1 + 2, .octets = 99'999}}, "c", Seen::new_messages, 2},
      {"nearly four fifths of it", three(), {{.count = 3 + 11, .octets = 99'999}}, "c", Seen::new_messages, 11},
      {"four fifths of it, which may be old ones under new unique-ids", three(), {{.count = 3 + 12, .octets = 99'999}}, "c", Seen::unclear},
      {"the first messages of all", none(), {{.count = 1, .octets = 100}}, "", Seen::unclear},
      // Something does not fit.
      {"fewer", three(), {{.count = 2, .octets = 400}}, "", Seen::unclear},
      {"fewer, though the number is still there", three(), {{.count = 2, .octets = 400}}, "c", Seen::unclear},
      {"none", three(), {{.count = 0, .octets = 0}}, "", Seen::unclear},
      {"as many with other octets", three(), {{.count = 3, .octets = 601}}, "c", Seen::unclear},
      {"another message in the last place", three(), {{.count = 3, .octets = 600}}, "d", Seen::unclear},
      {"one more, and another in that place", three(), {{.count = 4, .octets = 700}}, "d", Seen::unclear},
      {"a unique-id that begins the same", three(), {{.count = 3, .octets = 600}}, "cc", Seen::unclear},
      {"no message has that number", three(), {{.count = 3, .octets = 600}}, "", Seen::unclear},
      {"STAT without octets", three(), {{.count = 3, .octets = {}}}, "c", Seen::unclear},
      {"STAT refused", three(), {}, "c", Seen::unclear},
      {"STAT refused of an empty maildrop", none(), {}, "", Seen::unclear},
  };
  return kCases;
}

struct GlanceTest : testing::TestWithParam<Case> {};

TEST_P(GlanceTest, TellsNoMoreThanItShows) {
  const Judgement judged = judge(GetParam().before, {.drop = GetParam().drop, .last = {GetParam().last}}, GetParam().pipelining);
  EXPECT_EQ(judged.seen, GetParam().seen);
  EXPECT_EQ(judged.fresh, GetParam().fresh);
}

INSTANTIATE_TEST_SUITE_P(Cases, GlanceTest, testing::ValuesIn(cases()), [](const auto& tested) { return "Case" + std::to_string(tested.index); });

// A listing that was stored without its last unique-id must not match an answer without one.
TEST(ShortListing, AnEmptyUniqueIdMatchesNothing) {
  KnownListing listing = three();
  listing.last = {};
  EXPECT_EQ(judge(listing, {.drop = pop3::DropListing{.count = 3, .octets = 600}, .last = {}}, true).seen, Seen::unclear);
}

// ---- are the new messages new?

bool fits_with(const std::vector<ListingEntry>& fresh, std::uint64_t octets, const std::string& known = "") {
  return fits(three(), {.count = 3 + fresh.size(), .octets = octets}, fresh, [&](const UniqueId& uid) { return uid.octets == known; });
}

TEST(ShortListing, NewMessagesThatAddUpFit) { EXPECT_TRUE(fits_with({entry(4, "d", 100), entry(5, "e", 50)}, 750)); }

TEST(ShortListing, AKnownUniqueIdAmongTheNewDoesNotFit) { EXPECT_FALSE(fits_with({entry(4, "d", 100), entry(5, "a", 50)}, 750, "a")); }

TEST(ShortListing, ARepeatedUniqueIdDoesNotFit) {
  EXPECT_FALSE(fits_with({entry(4, "d", 100), entry(5, "d", 50)}, 750));
  EXPECT_FALSE(fits_with({entry(4, "c", 100)}, 700));  // that of the message before them
}

TEST(ShortListing, SizesThatDoNotAddUpDoNotFit) {
  EXPECT_FALSE(fits_with({entry(4, "d", 100)}, 701));
  EXPECT_FALSE(fits_with({entry(4, "d", std::nullopt)}, 600));
}

// ---- what is kept

net::MaildropListing listing_of(std::vector<ListingEntry> entries) { return {.entries = std::move(entries)}; }

TEST(ShortListing, ACompleteListingIsKeptWithItsSum) {
  const auto kept = known_listing(listing_of({entry(1, "a", 100), entry(2, "b", 50)}), {}, kPolicy, kNow);
  EXPECT_EQ(kept, (KnownListing{.policy = kPolicy, .count = 2, .octets = 150, .last = {"b"}, .completed = kNow, .looks = 0}));
}

TEST(ShortListing, TheOctetsOfStatAreKeptIfItWasAsked) {
  const auto listing = listing_of({entry(1, "a", 100), entry(2, "b", std::nullopt)});
  EXPECT_EQ(known_listing(listing, {{.count = 2, .octets = 999}}, kPolicy, kNow)->octets, 999U);
  EXPECT_FALSE(known_listing(listing, {{.count = 3, .octets = 999}}, kPolicy, kNow));  // something came between STAT and the listing
  EXPECT_FALSE(known_listing(listing, {}, kPolicy, kNow));
}

TEST(ShortListing, AnEmptyMaildropIsKept) { EXPECT_EQ(known_listing(listing_of({}), {}, kPolicy, kNow)->count, 0U); }

TEST(ShortListing, AListingThatIsNotWholeIsNotKept) {
  EXPECT_FALSE(known_listing(listing_of({entry(1, "a", 100), entry(3, "c", 50)}), {}, kPolicy, kNow));  // a gap
  EXPECT_FALSE(known_listing({.entries = {entry(1, "a", 100)}, .unusable_lines = 1}, {}, kPolicy, kNow));
  EXPECT_FALSE(known_listing({.entries = {entry(1, "", 100)}, .unique_ids = false}, {}, kPolicy, kNow));
}

TEST(ShortListing, EachLookCountsAndWhatCameIsAdded) {
  const std::vector<ListingEntry> fresh = {entry(4, "d", 100)};
  EXPECT_EQ(grown(three(), {.count = 4, .octets = 700}, fresh),
            (KnownListing{.policy = kPolicy, .count = 4, .octets = 700, .last = {"d"}, .completed = kNow - 1h, .looks = 6}));
  KnownListing same = three();
  ++same.looks;
  EXPECT_EQ(grown(three(), {.count = 3, .octets = 600}, {}), same);
}

// ---- what is left when the server has deleted

const std::vector<ListingEntry> kThree = {entry(1, "a", 100), entry(2, "b", 200), entry(3, "c", 300)};

std::optional<KnownListing> left_after(const std::vector<MessageNumber>& deleted) { return without(three(), kThree, {}, deleted); }

TEST(ShortListing, DeletedMessagesAreNotCounted) {
  EXPECT_EQ(left_after({}), three());
  const auto left = left_after({{2}});
  EXPECT_EQ(left->count, 2U);
  EXPECT_EQ(left->octets, 400U);
  EXPECT_EQ(left->last.octets, "c");
}

TEST(ShortListing, TheLastUniqueIdIsThatOfTheLastMessageLeft) {
  EXPECT_EQ(left_after({{3}})->last.octets, "b");
  EXPECT_EQ(left_after({{3}, {2}})->last.octets, "a");
  EXPECT_EQ(left_after({{1}, {2}, {3}})->last.octets, "");
  EXPECT_EQ(left_after({{1}, {2}, {3}})->count, 0U);
}

TEST(ShortListing, TheMessageInFrontOfTheNewOnesIsTheLastWhenTheyAreDeleted) {
  const KnownListing five{.policy = kPolicy, .count = 5, .octets = 750, .last = {"e"}, .completed = kNow, .looks = 1};
  const std::vector<ListingEntry> fresh = {entry(4, "d", 100), entry(5, "e", 50)};
  const std::vector<MessageNumber> both = {{4}, {5}};
  EXPECT_EQ(without(five, fresh, UniqueId{"c"}, both)->last.octets, "c");
  EXPECT_EQ(without(five, fresh, UniqueId{"c"}, both)->octets, 600U);
  EXPECT_FALSE(without(five, fresh, {}, both));
}

TEST(ShortListing, WhatCannotBeToldIsNotKept) {
  EXPECT_FALSE(left_after({{4}}));  // not of this listing
  const std::vector<ListingEntry> unsized = {entry(1, "a", std::nullopt), entry(2, "b", 900)};
  const std::vector<MessageNumber> first = {{1}};
  const std::vector<MessageNumber> second = {{2}};
  EXPECT_FALSE(without(three(), unsized, {}, first));
  EXPECT_FALSE(without(three(), unsized, {}, second));  // more octets than there were
}

}  // namespace
}  // namespace popsync::sync
