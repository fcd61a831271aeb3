// SPDX-License-Identifier: MIT
// The table of clocks. durability 9
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "state/state_store.h"
#include "state/transaction.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

using namespace std::chrono_literals;

constexpr const char* kAccount = "0123456789abcdef";

class Clocks : public testing::Test {
 protected:
  void SetUp() override {
    store_ = StateStore::open(folder_.path() + "/state");
    AccountRow account;
    account.id = kAccount;
    account.name = "home";
    auto transaction = store_->begin();
    transaction.insert_account(account);
    transaction.commit();
    clock_.set_synchronised(false);
  }

  ClockId note() {
    store_->note_clock(clock_.reading());
    return store_->clocks().back().id;
  }
  ClockRow row(ClockId id) {
    for (const ClockRow& each : store_->clocks()) {
      if (each.id == id) return each;
    }
    throw std::out_of_range("no clock " + std::to_string(id));
  }
  void store_message() {
    auto transaction = store_->begin();
    transaction.insert_known({.account = kAccount, .uid = {"a"}, .list_size = {}, .reason = {}, .at = clock_.reading()});
    transaction.commit();
  }

  config::TempFolder folder_;
  std::unique_ptr<StateStore> store_;
  ManualClock clock_;
};

TEST_F(Clocks, OneRowServesUntilAnotherBootAnotherVerdictOrAStep) {
  const ClockId first = note();
  clock_.advance(100h);
  EXPECT_EQ(note(), first);
  clock_.set_wall(clock_.wall() + 60s);
  EXPECT_EQ(note(), first);
  clock_.set_wall(clock_.wall() - 120s);
  EXPECT_EQ(note(), first);
  clock_.set_wall(clock_.wall() - 1s);
  const ClockId stepped = note();
  EXPECT_GT(stepped, first);
  clock_.set_synchronised(true);
  const ClockId synchronised = note();
  EXPECT_GT(synchronised, stepped);
  clock_.restart_machine();
  EXPECT_GT(note(), synchronised);
}

TEST_F(Clocks, WhatIsStoredTakesAlongTheClockOfItsTime) {
  store_message();
  clock_.set_wall(clock_.wall() + 500h);  // in the middle of a session
  store_message();
  const auto rows = store_->messages(kAccount);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(row(rows[1].stored_clock).offset - row(rows[0].stored_clock).offset, 500h);
  auto transaction = store_->begin();
  transaction.set_absent(rows[0].id, clock_.reading(), 1);
  transaction.commit();
  EXPECT_EQ(store_->messages(kAccount)[0].absent_clock, rows[1].stored_clock);
  EXPECT_EQ(store_->messages(kAccount)[0].stored_clock, rows[0].stored_clock);
}

TEST_F(Clocks, RowsWithoutAClockCountFromTheFirstOne) {
  const WallTime upgrade = clock_.wall();
  note();
  EXPECT_EQ(row(0).begins, upgrade);
  EXPECT_EQ(row(0).begins_clock, 1);
  clock_.advance(1h);
  clock_.set_synchronised(true);
  note();
  EXPECT_EQ(row(0).begins, upgrade);
}

TEST_F(Clocks, TheFirstSessionOfABootIsRemembered) {
  clock_.advance(90s);
  EXPECT_EQ(row(note()).first_session, 90s);
  clock_.advance(1h);
  clock_.set_synchronised(true);
  EXPECT_EQ(row(note()).first_session, 90s);
  clock_.restart_machine();
  clock_.advance(7s);
  EXPECT_EQ(row(note()).first_session, 7s);
}

// Another machine has used the state meanwhile: what it stored was not there at our first session.
TEST_F(Clocks, AnotherBootBetweenMakesItAFirstSessionAgain) {
  note();
  clock_.advance(100h);
  ManualClock elsewhere;
  elsewhere.restart_machine();
  store_->note_clock(elsewhere.reading());
  EXPECT_EQ(row(note()).first_session, 100h);
}

TEST_F(Clocks, ABootThatBecomesSynchronisedPutsItsEarlierTimesRight) {
  clock_.advance(10s);
  const ClockId behind = note();
  clock_.set_wall(clock_.wall() + 500h);
  clock_.set_synchronised(true);
  note();
  EXPECT_EQ(*row(behind).true_offset - row(behind).offset, 500h);
  EXPECT_FALSE(row(behind).begins);
}

TEST_F(Clocks, OfTwoRightClocksOfABootTheOneAheadCounts) {
  clock_.set_synchronised(true);
  const ClockId first = note();
  clock_.set_wall(clock_.wall() - 500h);
  const ClockId second = note();
  EXPECT_EQ(row(second).true_offset, row(first).offset);
  clock_.set_wall(clock_.wall() + 900h);
  const ClockId third = note();
  for (const ClockId id : {first, second}) EXPECT_EQ(row(id).true_offset, row(third).offset);
}

TEST_F(Clocks, ABootThatEndedUnsynchronisedCountsFromTheNextSynchronisedSession) {
  const ClockId ended = note();
  clock_.restart_machine();
  const ClockId unsynchronised = note();
  EXPECT_FALSE(row(ended).begins);
  clock_.set_synchronised(true);
  clock_.advance(1h);
  const WallTime right = clock_.wall();
  const ClockId synchronised = note();
  EXPECT_EQ(row(ended).begins, right);
  EXPECT_EQ(row(ended).begins_clock, synchronised);
  EXPECT_FALSE(row(unsynchronised).begins);
  clock_.advance(1h);
  clock_.restart_machine();
  note();
  EXPECT_EQ(row(ended).begins, right) << "written once";
}

TEST_F(Clocks, ItIsKnownSinceWhenTheyAreSo) {
  const WallTime begin = clock_.wall();
  note();
  clock_.advance(1h);
  clock_.set_wall(clock_.wall() + 500h);
  EXPECT_EQ(row(note()).since, begin) << "as little synchronised as before";
  clock_.set_synchronised(true);
  EXPECT_EQ(row(note()).since, clock_.wall());
}

TEST_F(Clocks, ThoseThatNoRowNamesAreDroppedOnceThereAreMany) {
  store_message();
  const ClockId named = note();
  auto transaction = store_->begin();
  for (std::size_t i = 2; i < kClocksKept; ++i) {
    clock_.restart_machine();
    transaction.note_clock(clock_.reading());
  }
  transaction.commit();
  EXPECT_EQ(store_->clocks().size(), kClocksKept);
  clock_.restart_machine();
  const ClockId newest = note();
  std::vector<ClockId> left;
  for (const ClockRow& each : store_->clocks()) left.push_back(each.id);
  EXPECT_THAT(left, testing::ElementsAre(0, named, newest));  // of rows without a clock; that of the message; the present one
}

TEST_F(Clocks, AClockThatWasAheadCountsFromNow) {
  clock_.set_synchronised(true);
  const ClockId ahead = note();
  clock_.restart_machine();
  clock_.set_wall(clock_.wall() - 500h);
  auto transaction = store_->begin();
  transaction.restart_clock(ahead, clock_.reading());
  transaction.commit();
  EXPECT_EQ(row(ahead).begins, clock_.wall());
  EXPECT_EQ(row(ahead).begins_clock, store_->clocks().back().id);
}

}  // namespace
}  // namespace popsync::state
