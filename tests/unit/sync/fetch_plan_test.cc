// SPDX-License-Identifier: MIT
#include "sync/fetch_plan.h"

#include "support/row_dates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace popsync::sync {
namespace {

using namespace std::chrono_literals;
using pop3::ListingEntry;
using pop3::MessageNumber;
using state::Doubt;
using state::MessageRow;
using state::RowState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::uint64_t kLimit = 1000;
const WallTime kNow = from_unix_seconds(1'700'000'000);

ListingEntry entry(std::uint32_t number, std::string uid, std::optional<std::uint64_t> size) {
  return {.number = MessageNumber{number}, .uid = {std::move(uid)}, .list_size = size};
}

MessageRow row(state::RowId id, std::string uid, std::optional<std::uint64_t> size, RowState state = RowState::published) {
  MessageRow out;
  out.id = id;
  out.state = state;
  out.uid = {std::move(uid)};
  out.list_size = size;
  out.removable = state == RowState::published;
  out.has_message_id = true;
  out.stored_at = kNow - 24h;
  return out;
}

MessageRow absent(MessageRow row, WallTime since, std::uint64_t listing) {
  row.absent_since = since;
  row.absent_since_listing = listing;
  if (row.state == RowState::published) row.doubt = Doubt::own;
  return row;
}

MessageRow held(state::RowId id, std::string uid, std::optional<std::uint64_t> size, std::uint32_t tries) {
  MessageRow out = row(id, std::move(uid), size, RowState::held);
  out.tries = tries;
  return out;
}

PlanPolicy keep() {
  PlanPolicy policy;
  policy.max_message_size = kLimit;
  policy.ages = test::ages_by_date(kNow);
  return policy;
}

PlanPolicy remove() {
  PlanPolicy policy = keep();
  policy.leave.kind = LeavePolicy::Kind::remove;
  return policy;
}

PlanPolicy remove_after(std::chrono::seconds age) {
  PlanPolicy policy = keep();
  policy.leave = {.kind = LeavePolicy::Kind::remove_after, .age = age};
  return policy;
}

FetchPlan plan(const std::vector<ListingEntry>& listing, const std::vector<MessageRow>& rows, const PlanPolicy& policy) {
  return plan_fetch(listing, rows, policy);
}

std::vector<std::uint32_t> fetched(const FetchPlan& plan) {
  std::vector<std::uint32_t> numbers;
  for (const Fetch& fetch : plan.fetch) numbers.push_back(fetch.entry.number.value);
  return numbers;
}

std::vector<std::pair<state::RowId, std::uint32_t>> removed(const FetchPlan& plan) {
  std::vector<std::pair<state::RowId, std::uint32_t>> out;
  for (const Removal& removal : plan.due()) out.emplace_back(removal.row, removal.number.value);
  return out;
}

std::vector<std::uint32_t> newly_held(const FetchPlan& plan) {
  std::vector<std::uint32_t> numbers;
  for (const Hold& hold : plan.hold) numbers.push_back(hold.entry.number.value);
  return numbers;
}

// Number, and whether a header is enough.
std::vector<std::pair<std::uint32_t, bool>> confirmed(const FetchPlan& plan) {
  std::vector<std::pair<std::uint32_t, bool>> out;
  for (const Confirmation& each : plan.confirm) out.emplace_back(each.fetch.entry.number.value, each.by_top);
  return out;
}

void expect_nothing_to_do(const FetchPlan& plan) {
  EXPECT_THAT(confirmed(plan), IsEmpty());
  EXPECT_THAT(fetched(plan), IsEmpty());
  EXPECT_THAT(removed(plan), IsEmpty());
  EXPECT_FALSE(plan.changes_rows());
}

// ---- what is fetched

TEST(FetchPlan, AnUnknownMessageIsFetchedWithoutDoubt) {
  const FetchPlan found = plan({entry(1, "a", 10), entry(3, "b", 20)}, {}, keep());
  EXPECT_THAT(fetched(found), ElementsAre(1U, 3U));
  for (const Fetch& fetch : found.fetch) {
    EXPECT_THAT(fetch.candidates, IsEmpty());
    EXPECT_THAT(fetch.replaces, IsEmpty());
  }
  EXPECT_EQ(found.octets, 30U);
  EXPECT_EQ(found.known, 0U);
  EXPECT_FALSE(found.changes_rows());
  EXPECT_FALSE(found.counts_as_listing);
}

TEST(FetchPlan, AKnownMessageNeedsNothingWhateverItsState) {
  const FetchPlan found = plan({entry(1, "a", 10), entry(2, "b", 20), entry(3, "c", 30)},
                               {row(1, "a", 10), row(2, "b", 20, RowState::seen), row(3, "c", 30, RowState::skipped)}, keep());
  expect_nothing_to_do(found);
  EXPECT_EQ(found.known, 3U);
}

TEST(FetchPlan, UniqueIdsAreComparedOctetByOctet) {
  EXPECT_THAT(fetched(plan({entry(1, "A", 10), entry(2, std::string("a\0b", 3), 10)}, {row(1, "a", 10)}, keep())), ElementsAre(1U, 2U));
}

TEST(FetchPlan, MessageNumbersMeanNothingFromOneSessionToTheNext) {
  expect_nothing_to_do(plan({entry(7, "b", 20), entry(9, "a", 10)}, {row(1, "a", 10), row(2, "b", 20)}, keep()));
}

TEST(FetchPlan, NothingListedAndNothingKnownIsNothingToDo) { expect_nothing_to_do(plan({}, {}, keep())); }

// ---- durability 8.1, 8.2: a unique-id is not a key

TEST(FetchPlan, EqualUniqueIdsAreToldApartBySize) {
  const FetchPlan found = plan({entry(1, "a", 10), entry(2, "a", 20), entry(3, "a", 30)}, {row(7, "a", 20), row(8, "a", 10)}, keep());
  EXPECT_THAT(fetched(found), ElementsAre(3U));
  EXPECT_EQ(found.known, 2U);
  ASSERT_EQ(found.fetch[0].candidates.size(), 2U);  // it may still be one of these, changed
  for (const Candidate& candidate : found.fetch[0].candidates) EXPECT_FALSE(candidate.free);
}

TEST(FetchPlan, AChangedSizeIsSettledByContent) {
  const FetchPlan found = plan({entry(1, "a", 11)}, {row(7, "a", 10)}, keep());
  EXPECT_THAT(fetched(found), ElementsAre(1U));
  ASSERT_EQ(found.fetch[0].candidates.size(), 1U);
  const Candidate& candidate = found.fetch[0].candidates[0];
  EXPECT_EQ(candidate.row, 7);
  EXPECT_TRUE(candidate.has_prints && candidate.free && candidate.size_differs);
  EXPECT_FALSE(found.fetch[0].remove_if_equal);
}

TEST(FetchPlan, AChangedSizeOfAMessageThatWasNeverStoredIsANewMessage) {
  for (const RowState state : {RowState::seen, RowState::skipped}) {
    const FetchPlan found = plan({entry(1, "a", 11)}, {row(7, "a", 10, state)}, keep());
    ASSERT_EQ(found.fetch.size(), 1U);
    ASSERT_EQ(found.fetch[0].candidates.size(), 1U);
    EXPECT_FALSE(found.fetch[0].candidates[0].has_prints);
    EXPECT_TRUE(found.fetch[0].candidates[0].free);
  }
}

TEST(FetchPlan, ARowWithoutSizeTakesTheFirstOneListed) {
  const FetchPlan found = plan({entry(1, "a", 10)}, {row(7, "a", {})}, keep());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(found.first_sizes, ElementsAre(Pair(7, 10U)));
  EXPECT_EQ(found.known, 1U);
  EXPECT_TRUE(found.changes_rows());
}

TEST(FetchPlan, AnEntryWithoutSizeMatchesAnyRowOfItsUniqueId) {
  expect_nothing_to_do(plan({entry(1, "a", {})}, {row(7, "a", 10)}, keep()));
  expect_nothing_to_do(plan({entry(1, "a", {})}, {row(7, "a", {})}, keep()));
  EXPECT_THAT(fetched(plan({entry(1, "a", {})}, {row(7, "b", 10)}, keep())), ElementsAre(1U));
}

TEST(FetchPlan, AnEqualSizeIsPreferredToAnUnknownOne) {
  const FetchPlan found = plan({entry(1, "a", {}), entry(2, "a", 10)}, {row(7, "a", 10), row(8, "a", {})}, keep());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(found.first_sizes, IsEmpty());  // 2 is 7, so 1 is 8
  EXPECT_EQ(found.known, 2U);
}

TEST(FetchPlan, WhereSizesSayNothingTheUniqueIdDecides) {
  PlanPolicy policy = keep();
  policy.sizes_mean_something = false;
  expect_nothing_to_do(plan({entry(1, "a", 11)}, {row(7, "a", 10)}, policy));
}

// protocol.md 117
TEST(FetchPlan, AMessageThatReturnsIsConfirmed) {
  const FetchPlan found = plan({entry(1, "a", 10)}, {absent(row(7, "a", 10), kNow - 1h, 3)}, keep());
  ASSERT_THAT(confirmed(found), ElementsAre(Pair(1U, true)));
  const Fetch& fetch = found.confirm[0].fetch;
  ASSERT_EQ(fetch.candidates.size(), 1U);
  EXPECT_TRUE(fetch.candidates[0].has_prints && fetch.candidates[0].free);
  EXPECT_FALSE(fetch.candidates[0].size_differs);
  EXPECT_FALSE(fetch.remove_if_equal);
  EXPECT_THAT(found.returned, IsEmpty());
}

// Listed, but not looked at yet: should the session break, it was not missing all the time.
TEST(FetchPlan, TheAbsenceOfWhatIsListedAgainBeginsAnew) {
  PlanPolicy policy = keep();
  policy.complete_listings = 100;
  const auto noted = [&](std::chrono::seconds age, std::uint64_t listing, std::uint32_t tries) {
    MessageRow returning = absent(row(7, "a", 10), kNow - age, listing);
    returning.tries = tries;
    return plan({entry(1, "a", 10)}, {returning}, policy).absent;
  };
  EXPECT_THAT(noted(1h, 99, 0), ElementsAre(7));
  EXPECT_THAT(noted(24h, 100, 0), ElementsAre(7));
  EXPECT_THAT(noted(1h, 99, kTriesMax), ElementsAre(7));
  EXPECT_THAT(noted(24h - 1s, 100, kTriesMax), IsEmpty());  // that changes too little to write it at each poll
}

TEST(FetchPlan, AMessageThatWasNeverStoredReturnsWithoutARetr) {
  const FetchPlan found = plan({entry(1, "a", 10)}, {absent(row(7, "a", 10, RowState::seen), kNow - 1h, 3)}, keep());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(found.returned, ElementsAre(7));
}

TEST(FetchPlan, WhereTheServerHidesMessagesAReturnIsOrdinary) {
  PlanPolicy policy = keep();
  policy.hides_messages = true;
  const FetchPlan found = plan({entry(1, "a", 10)}, {absent(row(7, "a", 10), kNow - 1h, 3)}, policy);
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(found.returned, ElementsAre(7));
}

// ---- what is deleted on the server

TEST(FetchPlan, RemovableRowStillOnServerIsDeletedNotRefetched) {
  const FetchPlan found = plan({entry(4, "a", 10)}, {row(7, "a", 10)}, remove());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(removed(found), ElementsAre(Pair(7, 4U)));
}

TEST(FetchPlan, NothingIsDeletedWhereMailIsLeft) { EXPECT_THAT(removed(plan({entry(4, "a", 10)}, {row(7, "a", 10)}, keep())), IsEmpty()); }

TEST(FetchPlan, OnlyRemovableRowsAreDeleted) {
  MessageRow suspect = row(7, "a", 10);
  suspect.removable = false;
  for (const PlanPolicy& policy : {remove(), remove_after(1s)}) {
    expect_nothing_to_do(plan({entry(1, "a", 10), entry(2, "b", 10), entry(3, "c", 10)},
                              {suspect, row(8, "b", 10, RowState::seen), row(9, "c", 10, RowState::skipped)}, policy));
  }
}

TEST(FetchPlan, AgeRunsFromPublication) {
  const auto after = [](std::chrono::seconds age, WallTime stored_at) {
    MessageRow stored = row(7, "a", 10);
    stored.stored_at = stored_at;
    return removed(plan({entry(1, "a", 10)}, {stored}, remove_after(age)));
  };
  EXPECT_THAT(after(24h, kNow - 24h + 1s), IsEmpty());
  EXPECT_THAT(after(24h, kNow - 24h), ElementsAre(Pair(7, 1U)));
  EXPECT_THAT(after(24h, kNow - 25h), ElementsAre(Pair(7, 1U)));
  EXPECT_THAT(after(24h, kNow + 1h), IsEmpty());
}

// durability 9
TEST(FetchPlan, NothingIsDeletedByAgeWhileNoAgeIsProved) {
  PlanPolicy policy = remove_after(1s);
  policy.ages = {};
  expect_nothing_to_do(plan({entry(1, "a", 10)}, {row(7, "a", 10)}, policy));
  policy = remove();
  policy.ages = {};  // age plays no part in this
  EXPECT_THAT(removed(plan({entry(1, "a", 10)}, {row(7, "a", 10)}, policy)), ElementsAre(Pair(7, 1U)));
}

TEST(FetchPlan, BehindARepeatedUniqueIdOnlySeenContentIsDeleted) {
  // twice in the listing
  FetchPlan found = plan({entry(1, "a", 10), entry(2, "a", 20)}, {row(7, "a", 10), row(8, "a", 20)}, remove());
  EXPECT_THAT(confirmed(found), ElementsAre(Pair(1U, false), Pair(2U, false)));
  EXPECT_THAT(removed(found), ElementsAre(Pair(7, 1U), Pair(8, 2U)));
  EXPECT_FALSE(found.confirm[0].fetch.candidates.at(0).size_differs);
  // twice in the rows
  found = plan({entry(1, "a", 10)}, {row(7, "a", 10), row(8, "a", 20)}, remove());
  EXPECT_THAT(confirmed(found), ElementsAre(Pair(1U, false)));
  EXPECT_EQ(found.confirm[0].fetch.candidates.at(0).row, 7);
}

TEST(FetchPlan, WhereSizesSayNothingOnlySeenContentIsDeleted) {
  PlanPolicy policy = remove();
  policy.sizes_mean_something = false;
  const FetchPlan found = plan({entry(1, "a", 11)}, {row(7, "a", 10)}, policy);
  EXPECT_THAT(confirmed(found), ElementsAre(Pair(1U, false)));
  EXPECT_THAT(removed(found), ElementsAre(Pair(7, 1U)));
}

// durability 8.3
TEST(FetchPlan, ADeletedMessageThatCameBackIsDeletedAgainOnceItsContentWasSeen) {
  for (std::uint32_t deletions = 1; deletions <= kDeletionsMax; ++deletions) {
    MessageRow deleted = absent(row(7, "a", 10), kNow - 1h, 3);
    deleted.deletions = deletions;
    const FetchPlan found = plan({entry(1, "a", 10)}, {deleted}, remove());
    ASSERT_THAT(confirmed(found), ElementsAre(Pair(1U, true)));
    EXPECT_EQ(found.confirm[0].fetch.remove_if_equal, deletions < kDeletionsMax);
    EXPECT_EQ(found.confirm[0].fetch.gave_up_deleting, deletions == kDeletionsMax);
  }
}

TEST(FetchPlan, AMessageWhoseDeletionNeverLastsIsLeftAlone) {
  MessageRow stubborn = row(7, "a", 10);
  stubborn.deletions = kDeletionsMax;
  expect_nothing_to_do(plan({entry(1, "a", 10)}, {stubborn}, remove()));
}

TEST(FetchPlan, EqualContentIsNoReasonToDeleteWhatMayNotBeDeleted) {
  const auto may_go = [](bool removable, std::uint32_t deletions) {
    MessageRow stored = row(7, "a", 10);
    stored.removable = removable;
    stored.deletions = deletions;
    return plan({entry(1, "a", 11)}, {stored}, remove()).fetch.at(0).candidates.at(0).removable;
  };
  EXPECT_TRUE(may_go(true, 0));
  EXPECT_TRUE(may_go(true, kDeletionsMax - 1));
  EXPECT_FALSE(may_go(true, kDeletionsMax));
  EXPECT_FALSE(may_go(false, 0));  // suspect, unverified or changed on the way
}

// ---- what is held

TEST(FetchPlan, AMessageOverTheLimitIsHeldAndNeverFetched) {
  const FetchPlan found = plan({entry(1, "a", kLimit), entry(2, "b", kLimit + 1)}, {}, keep());
  EXPECT_THAT(fetched(found), ElementsAre(1U));
  EXPECT_THAT(newly_held(found), ElementsAre(2U));
  EXPECT_EQ(found.octets, kLimit);
}

TEST(FetchPlan, AHeldMessageStaysHeldWhileItIsTooBig) {
  const FetchPlan found = plan({entry(1, "a", kLimit + 1)}, {held(7, "a", kLimit + 1, 0)}, keep());
  expect_nothing_to_do(found);
  EXPECT_EQ(found.known, 1U);
}

TEST(FetchPlan, AHeldMessageIsReleasedWhenTheLimitGrows) {
  PlanPolicy policy = keep();
  policy.max_message_size = kLimit + 1;
  const FetchPlan found = plan({entry(1, "a", kLimit + 1)}, {held(7, "a", kLimit + 1, 0)}, policy);
  ASSERT_THAT(fetched(found), ElementsAre(1U));
  EXPECT_THAT(found.fetch[0].replaces, ElementsAre(7));
  EXPECT_THAT(found.fetch[0].candidates, IsEmpty());
}

TEST(FetchPlan, AMessageOfAnotherSizeTakesThePlaceOfAHeldOne) {
  const FetchPlan found = plan({entry(1, "a", 10)}, {held(7, "a", kLimit + 1, 0)}, keep());
  ASSERT_THAT(fetched(found), ElementsAre(1U));
  EXPECT_THAT(found.fetch[0].replaces, ElementsAre(7));
}

TEST(FetchPlan, AMessageThatIsTooBigNowIsNotRetrievedToBeCompared) {
  const FetchPlan found = plan({entry(1, "a", kLimit + 1)}, {row(7, "a", 10)}, keep());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(newly_held(found), ElementsAre(1U));
}

TEST(FetchPlan, ARefusedMessageIsTriedThreeTimes) {
  for (std::uint32_t tries = 1; tries < kTriesMax; ++tries) {
    const FetchPlan found = plan({entry(1, "a", 10)}, {held(7, "a", 10, tries)}, keep());
    ASSERT_THAT(fetched(found), ElementsAre(1U));
    EXPECT_EQ(found.fetch[0].tries, tries);
    EXPECT_THAT(found.fetch[0].replaces, ElementsAre(7));
  }
  expect_nothing_to_do(plan({entry(1, "a", 10)}, {held(7, "a", 10, kTriesMax)}, keep()));
}

TEST(FetchPlan, AMessageThatFailedBeforeIsFetchedApartAndLast) {
  const FetchPlan found = plan({entry(1, "a", 10), entry(2, "b", 10)}, {held(7, "a", 10, 1)}, keep());
  ASSERT_THAT(fetched(found), ElementsAre(2U, 1U));
  EXPECT_FALSE(found.fetch[0].apart);
  EXPECT_TRUE(found.fetch[1].apart);
  EXPECT_EQ(found.fetch[1].tried_row, 7);
}

TEST(FetchPlan, AStoredMessageThatCannotBeComparedIsLeftAloneAfterThreeTries) {
  MessageRow stored = row(7, "a", 10);
  stored.absent_since = WallTime{};
  stored.removable = true;
  for (stored.tries = 0; stored.tries < kTriesMax; ++stored.tries) {
    const FetchPlan found = plan({entry(1, "a", 10)}, {stored}, remove());
    const Fetch& looked_at = stored.tries > 0 ? found.fetch.at(0) : found.confirm.at(0).fetch;
    EXPECT_EQ(found.fetch.size() + found.confirm.size(), 1U);
    EXPECT_EQ(looked_at.apart, stored.tries > 0);
    EXPECT_EQ(looked_at.tried_row, 7);
  }
  const FetchPlan found = plan({entry(1, "a", 10)}, {stored}, remove());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(removed(found), IsEmpty());
}

TEST(FetchPlan, AMessageThatGrewOnTheWireIsLeftAloneWhateverSizeIsListed) {
  const FetchPlan found = plan({entry(1, "a", 10)}, {held(7, "a", {}, kTriesMax)}, keep());
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_THAT(newly_held(found), IsEmpty());
}

TEST(FetchPlan, AHeldMessageIsNeverDeleted) {
  for (const std::uint32_t tries : {0U, kTriesMax}) {
    EXPECT_THAT(removed(plan({entry(1, "a", kLimit + 1)}, {held(7, "a", kLimit + 1, tries)}, remove())), IsEmpty());
  }
}

// ---- durability 8.5: absence and forgetting

TEST(FetchPlan, ARowThatIsMissingForTheFirstTimeIsNoted) {
  const FetchPlan found = plan({entry(1, "a", 10)}, {row(7, "a", 10), row(8, "b", 20)}, keep());
  EXPECT_THAT(found.absent, ElementsAre(8));
  EXPECT_THAT(found.forget, IsEmpty());
  EXPECT_TRUE(found.counts_as_listing);
}

TEST(FetchPlan, AnEmptyListingProvesNothing) {
  const FetchPlan found = plan({}, {absent(row(7, "a", 10), kNow - 365 * 24h, 0), row(8, "b", 20)}, [] {
    PlanPolicy policy = keep();
    policy.complete_listings = 100;
    return policy;
  }());
  EXPECT_THAT(found.absent, IsEmpty());
  EXPECT_THAT(found.forget, IsEmpty());
  EXPECT_THAT(found.doubts, ElementsAre(Pair(8, Doubt::outage)));
  EXPECT_FALSE(found.counts_as_listing);
}

TEST(FetchPlan, AListingShortByMoreThanHalfProvesNothing) {
  PlanPolicy policy = keep();
  policy.last_listing_count = 10;
  std::vector<ListingEntry> listing;
  for (std::uint32_t i = 1; i <= 4; ++i) listing.push_back(entry(i, std::to_string(i), 10));
  FetchPlan found = plan(listing, {row(7, "missing", 10)}, policy);
  EXPECT_THAT(found.absent, IsEmpty());
  EXPECT_FALSE(found.counts_as_listing);
  listing.push_back(entry(5, "5", 10));
  found = plan(listing, {row(7, "missing", 10)}, policy);
  EXPECT_THAT(found.absent, ElementsAre(7));
  EXPECT_TRUE(found.counts_as_listing);
}

// protocol.md 74
TEST(FetchPlan, ARowIsForgottenAfterTenListingsAndThirtyDays) {
  const auto forgets = [](std::uint64_t listings, std::chrono::seconds age) {
    PlanPolicy policy = keep();
    policy.complete_listings = 100;
    const FetchPlan found = plan({entry(1, "other", 10)}, {row(6, "other", 10), absent(row(7, "a", 10), kNow - age, 100 - listings)}, policy);
    EXPECT_TRUE(found.counts_as_listing);
    EXPECT_THAT(found.absent, IsEmpty());
    return !found.forget.empty();
  };
  EXPECT_TRUE(forgets(kForgetListings, kForgetAge));
  EXPECT_FALSE(forgets(kForgetListings - 1, kForgetAge));
  EXPECT_FALSE(forgets(kForgetListings, kForgetAge - 1s));
  EXPECT_FALSE(forgets(0, 10 * kForgetAge));
  EXPECT_FALSE(forgets(100, 0s));
}

// Also four short listings in a row do not prove that one of two messages behind a unique-id is gone.
TEST(FetchPlan, ARowWhoseUniqueIdIsListedForAnotherMessageGoesNoSooner) {
  PlanPolicy policy = keep();
  policy.complete_listings = 100;
  const auto forgotten = [&](std::uint64_t listings, std::chrono::seconds age) {
    return plan({entry(1, "a", 20)}, {row(6, "a", 20), absent(row(7, "a", 10), kNow - age, 100 - listings)}, policy).forget;
  };
  EXPECT_THAT(forgotten(kForgetListings, kForgetAge - 1s), IsEmpty());
  EXPECT_THAT(forgotten(kForgetListings - 1, kForgetAge), IsEmpty());
  EXPECT_THAT(forgotten(kForgetListings, kForgetAge), ElementsAre(7));
}

TEST(FetchPlan, ARowIsNotForgottenInASessionThatComparesWithIt) {
  PlanPolicy policy = keep();
  policy.complete_listings = 100;
  // 7 is due to go, but what returns under its unique-id may be its message with another size.
  const FetchPlan found = plan({entry(1, "a", 20)}, {absent(row(6, "a", 20), kNow - 1h, 99), absent(row(7, "a", 10), kNow - 60 * 24h, 0)}, policy);
  EXPECT_THAT(confirmed(found), ElementsAre(Pair(1U, false)));
  EXPECT_THAT(found.forget, IsEmpty());
}

TEST(FetchPlan, NothingIsForgottenWhileNoAgeIsProved) {
  PlanPolicy policy = keep();
  policy.complete_listings = 100;
  policy.ages = {};
  EXPECT_THAT(plan({entry(1, "other", 10)}, {row(6, "other", 10), absent(row(7, "a", 10), kNow - 60 * 24h, 0)}, policy).forget, IsEmpty());
}

TEST(FetchPlan, WhereSizesSayNothingARowThatIsThereIsPreferredToAnAbsentOne) {
  PlanPolicy policy = keep();
  policy.sizes_mean_something = false;
  const FetchPlan found = plan({entry(1, "a", 33)}, {absent(row(6, "a", 20), kNow - 1h, 0), row(7, "a", 10)}, policy);
  EXPECT_THAT(fetched(found), IsEmpty());
  EXPECT_EQ(found.known, 1U);
}

TEST(FetchPlan, WhereTheServerHidesMessagesNothingIsEverForgotten) {
  PlanPolicy policy = keep();
  policy.hides_messages = true;
  policy.complete_listings = 1'000;
  const FetchPlan found =
      plan({entry(1, "other", 10)}, {row(6, "other", 10), row(8, "b", 10), absent(row(7, "a", 10), kNow - 3650 * 24h, 0)}, policy);
  expect_nothing_to_do(found);
  EXPECT_FALSE(found.counts_as_listing);
}

TEST(FetchPlan, ACountOfListingsThatWentBackForgetsNothing) {
  PlanPolicy policy = keep();
  policy.complete_listings = 3;  // the account's row came out of a backup
  EXPECT_THAT(plan({entry(1, "x", 1)}, {absent(row(7, "a", 10), kNow - 365 * 24h, 90)}, policy).forget, IsEmpty());
}

// ---- durability 8.7: no UIDL

TEST(FetchPlan, WithoutUniqueIdsEverythingIsRetrievedAndDeletedByContent) {
  PlanPolicy policy = remove();
  policy.unique_ids = false;
  const FetchPlan found = plan({entry(1, "", 10), entry(2, "", 10)}, {row(7, "", 10), row(8, "", 20)}, policy);
  EXPECT_THAT(fetched(found), ElementsAre(1U, 2U));
  for (const Fetch& fetch : found.fetch) {
    EXPECT_THAT(fetch.candidates, IsEmpty());  // found by SHA-256 instead
    EXPECT_TRUE(fetch.remove_if_equal);
  }
  EXPECT_THAT(removed(found), IsEmpty());
  EXPECT_FALSE(found.changes_rows());
}

}  // namespace
}  // namespace popsync::sync
