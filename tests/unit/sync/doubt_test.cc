// SPDX-License-Identifier: MIT
// Which rows the planner puts in doubt, which of them are confirmed, and in which order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "support/row_dates.h"
#include "sync/fetch_plan.h"
#include "sync/sample.h"
#include "sync/top_use.h"

namespace popsync::sync {
namespace {

using namespace std::chrono_literals;
using pop3::ListingEntry;
using state::Doubt;
using state::MessageRow;
using state::RowId;
using state::RowState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

const WallTime kNow = from_unix_seconds(1'700'000'000);

std::vector<ListingEntry> listing_of(std::size_t count) {
  std::vector<ListingEntry> listing;
  for (std::size_t i = 1; i <= count; ++i) {
    listing.push_back({.number = {static_cast<std::uint32_t>(i)}, .uid = {"u" + std::to_string(i)}, .list_size = 10});
  }
  return listing;
}

MessageRow row(RowId id, Doubt doubt = Doubt::none) {
  MessageRow row;
  row.id = id;
  row.uid = {"u" + std::to_string(id)};
  row.list_size = 10;
  row.removable = true;
  row.has_message_id = true;
  row.stored_at = kNow - 24h + std::chrono::seconds(id);
  row.doubt = doubt;
  return row;
}

std::vector<MessageRow> rows_of(std::size_t count, Doubt doubt) {
  std::vector<MessageRow> rows;
  for (std::size_t i = 1; i <= count; ++i) rows.push_back(row(static_cast<RowId>(i), doubt));
  return rows;
}

PlanPolicy keep() {
  PlanPolicy policy;
  policy.max_message_size = 1000;
  policy.ages = test::ages_by_date(kNow);
  return policy;
}

PlanPolicy remove() {
  PlanPolicy policy = keep();
  policy.leave.kind = LeavePolicy::Kind::remove;
  return policy;
}

std::vector<RowId> confirmed(const FetchPlan& plan) {
  std::vector<RowId> rows;
  for (const Confirmation& each : plan.confirm) rows.push_back(each.fetch.tried_row);
  return rows;
}

// ---- what puts a row in doubt

TEST(Doubt, EveryListingThatLacksARowPutsItInDoubtOnce) {
  PlanPolicy policy = keep();
  policy.last_listing_count = 2;
  EXPECT_THAT(plan_fetch({}, std::vector{row(1), row(2, Doubt::outage), row(3, Doubt::own)}, policy).doubts, ElementsAre(Pair(1, Doubt::outage)));
  EXPECT_THAT(plan_fetch(listing_of(1), std::vector{row(1), row(2), row(3, Doubt::own)}, policy).doubts, ElementsAre(Pair(2, Doubt::own)));
  policy.last_listing_count = 3;  // short by more than half
  EXPECT_THAT(plan_fetch(listing_of(1), std::vector{row(1), row(2)}, policy).doubts, ElementsAre(Pair(2, Doubt::outage)));
}

TEST(Doubt, WhatOurOwnDeleteMayHaveTakenIsConfirmedItself) {
  MessageRow sent = row(1);
  sent.dele_sent = true;
  EXPECT_THAT(plan_fetch({}, std::vector{sent}, keep()).doubts, ElementsAre(Pair(1, Doubt::own)));
}

TEST(Doubt, AnOutageTakesARowOutOfTheSampleAgain) {
  EXPECT_THAT(plan_fetch({}, std::vector{row(1, Doubt::sample), row(2, Doubt::vouched)}, keep()).doubts,
              ElementsAre(Pair(1, Doubt::outage), Pair(2, Doubt::outage)));
}

TEST(Doubt, ARowWithoutPrintsIsNeverInDoubtAndStaysKnown) {
  MessageRow seeded = row(1);
  seeded.state = RowState::seen;
  seeded.removable = false;
  EXPECT_THAT(plan_fetch({}, std::vector{seeded}, remove()).doubts, IsEmpty());
  const FetchPlan plan = plan_fetch(listing_of(1), std::vector{seeded}, remove());
  EXPECT_THAT(plan.confirm, IsEmpty());
  EXPECT_THAT(plan.fetch, IsEmpty());
  EXPECT_EQ(plan.known, 1U);
}

TEST(Doubt, WhereTheServerHidesMessagesNothingIsInDoubtAndNothingDue) {
  PlanPolicy policy = keep();
  policy.hides_messages = true;
  EXPECT_THAT(plan_fetch({}, std::vector{row(1)}, policy).doubts, IsEmpty());
  EXPECT_THAT(plan_fetch(listing_of(1), std::vector{row(1, Doubt::own)}, policy).confirm, IsEmpty());
}

// ---- what is confirmed, and how

TEST(Doubt, WithoutMessageIdOrBehindARepeatedUniqueIdAHeaderIsNoProof) {
  MessageRow without = row(1, Doubt::own);
  without.has_message_id = false;
  MessageRow twice = row(2, Doubt::own);
  MessageRow other = row(3);
  other.uid = twice.uid;
  other.list_size = 11;
  const FetchPlan plan = plan_fetch(listing_of(2), std::vector{without, twice, other}, keep());
  ASSERT_THAT(plan.confirm, SizeIs(2));
  EXPECT_FALSE(plan.confirm[0].by_top || plan.confirm[1].by_top);
}

TEST(Doubt, WhoseTopEndedASessionIsRetrievedApart) {
  MessageRow broke = row(1, Doubt::own);
  broke.top_broke = true;
  const FetchPlan plan = plan_fetch(listing_of(1), std::vector{broke}, keep());
  EXPECT_THAT(plan.confirm, IsEmpty());
  ASSERT_THAT(plan.fetch, SizeIs(1));
  EXPECT_TRUE(plan.fetch[0].apart);
}

TEST(Doubt, WhatMayNotBeRetrievedIsNotAskedFor) {
  PlanPolicy policy = remove();
  policy.max_message_size = 9;
  EXPECT_THAT(plan_fetch(listing_of(1), std::vector{row(1, Doubt::own)}, policy).confirm, IsEmpty());
  MessageRow tried = row(1, Doubt::own);
  tried.tries = kTriesMax;
  EXPECT_THAT(plan_fetch(listing_of(1), std::vector{tried}, remove()).confirm, IsEmpty());
}

TEST(Doubt, WhatIsInDoubtComesBeforeWhatIsDueAndTheOldestFirst) {
  std::vector<MessageRow> rows = {row(1), row(2, Doubt::own), row(3), row(4, Doubt::own)};
  rows[1].stored_at = kNow;
  const FetchPlan plan = plan_fetch(listing_of(4), rows, remove());
  EXPECT_THAT(confirmed(plan), ElementsAre(4, 2, 1, 3));
  EXPECT_THAT(plan.due(), SizeIs(4));
}

// ---- the sample

TEST(Sample, UpToAHundredAreConfirmedEach) {
  const FetchPlan plan = plan_fetch(listing_of(kSampleMax), rows_of(kSampleMax, Doubt::outage), keep());
  EXPECT_THAT(plan.confirm, SizeIs(kSampleMax));
  EXPECT_THAT(plan.vouched, IsEmpty());
  EXPECT_THAT(plan.doubts, IsEmpty());
}

TEST(Sample, OfMoreAHundredWithTheOldestAndTheNewestSpeakForAll) {
  constexpr std::size_t kRows = 1000;
  const FetchPlan plan = plan_fetch(listing_of(kRows), rows_of(kRows, Doubt::outage), keep());
  const auto drawn = confirmed(plan);
  const std::set<RowId> rows(drawn.begin(), drawn.end());
  EXPECT_THAT(rows, SizeIs(kSampleMax));
  for (RowId i = 0; i < static_cast<RowId>(kSampleEnds); ++i) {
    EXPECT_TRUE(rows.contains(1 + i) && rows.contains(static_cast<RowId>(kRows) - i)) << i;
  }
  EXPECT_THAT(plan.vouched, SizeIs(kRows - kSampleMax));
  EXPECT_EQ(std::ranges::count(plan.doubts, Doubt::sample, [](const auto& each) { return each.second; }), 100);
  EXPECT_EQ(std::ranges::count(plan.doubts, Doubt::vouched, [](const auto& each) { return each.second; }), 900);
}

TEST(Sample, ItIsDrawnOnceAndSpeaksForThoseThatWereListedThen) {
  auto rows = rows_of(300, Doubt::vouched);
  rows[10].doubt = Doubt::sample;
  rows[20].doubt = Doubt::outage;  // listed again only now
  const FetchPlan plan = plan_fetch(listing_of(300), rows, keep());
  EXPECT_THAT(confirmed(plan), ElementsAre(11));
  EXPECT_THAT(plan.vouched, SizeIs(298));
  EXPECT_EQ(plan.put_off, 1U);
  EXPECT_THAT(plan.doubts, IsEmpty());
}

TEST(Sample, ItConcernsOnlyRowsThatThisListingShows) {
  const FetchPlan plan = plan_fetch(listing_of(150), rows_of(300, Doubt::outage), keep());
  EXPECT_THAT(plan.vouched, SizeIs(150 - kSampleMax));
  for (const RowId id : plan.vouched) EXPECT_LE(id, 150);
}

TEST(Sample, ItSpeaksForNoDeletion) {
  const FetchPlan plan = plan_fetch(listing_of(300), rows_of(300, Doubt::outage), remove());
  EXPECT_THAT(plan.confirm, SizeIs(300));
  EXPECT_TRUE(std::ranges::all_of(plan.confirm, [](const Confirmation& each) { return each.fetch.remove_if_equal; }));
  EXPECT_TRUE(std::ranges::all_of(plan.confirm.begin(), plan.confirm.begin() + kSampleMax,
                                  [](const Confirmation& each) { return each.doubt == Doubt::sample; }));
  EXPECT_THAT(plan.vouched, SizeIs(300 - kSampleMax));
}

// ---- a server whose TOP cannot be believed

TEST(TopUse, ThreeBreaksOrThreeDifferencesSwitchItOffForThirtyDays) {
  for (const auto& note : {note_top_break, note_top_difference}) {
    state::AccountRow account;
    note(account, kNow);
    note(account, kNow);
    EXPECT_TRUE(may_ask_top(account, kNow));
    note(account, kNow);
    EXPECT_FALSE(may_ask_top(account, kNow));
    EXPECT_FALSE(may_ask_top(account, kNow + kTopOffFor - 1s));
    EXPECT_TRUE(may_ask_top(account, kNow + kTopOffFor));
  }
}

TEST(TopUse, AGoodSessionBetweenTwoThatBrokeStartsTheCountAnew) {
  state::AccountRow account;
  note_top_break(account, kNow);
  note_top_break(account, kNow);
  note_top_good(account);
  note_top_break(account, kNow);
  EXPECT_TRUE(may_ask_top(account, kNow));
}

}  // namespace
}  // namespace popsync::sync
