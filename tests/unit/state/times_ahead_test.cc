// SPDX-License-Identifier: MIT
// Times that a clock which was ahead has left: each of them, at its edge.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "state/state_store.h"
#include "state/transaction.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

using namespace std::chrono_literals;

const WallTime kNow = from_unix_seconds(1'700'000'000);
constexpr const char* kHome = "0123456789abcdef";
constexpr const char* kWork = "fedcba9876543210";

class TimesAhead : public testing::Test {
 protected:
  TimesAhead() {
    auto transaction = store_->begin();
    for (const char* id : {kHome, kWork}) {
      AccountRow account;
      account.id = id;
      account.name = id;
      transaction.insert_account(account);
    }
    transaction.commit();
  }
  void keep(const AccountRow& account, std::optional<WallTime> next = {}, std::chrono::seconds delay = {}) {
    auto transaction = store_->begin();
    transaction.update_account(account);
    transaction.set_plan(account.name, next, delay, false);
    transaction.commit();
  }
  AccountRow home() { return store_->account(kHome).value(); }
  bool bring_back() { return store_->bring_times_back(store_->accounts(), kNow); }
  // What becomes of a time of the account.
  template <typename Get, typename Set>
  void expect_becomes_now(Get&& get, Set&& set, std::chrono::seconds rounded = 0s) {
    AccountRow account = home();
    set(account, kNow + kClockStep);
    keep(account);
    EXPECT_FALSE(bring_back());
    EXPECT_EQ(get(home()), kNow + kClockStep) << "as much as a clock is put right without a word";
    set(account, kNow + kClockStep + 1s);
    keep(account);
    EXPECT_TRUE(bring_back());
    EXPECT_EQ(get(home()), kNow + rounded);
    EXPECT_FALSE(bring_back()) << "once";
  }

  config::TempFolder folder_;
  std::unique_ptr<StateStore> store_ = StateStore::open(folder_.path() + "/state");
};

TEST_F(TimesAhead, OfTheLastAttempt) {
  expect_becomes_now([](const AccountRow& row) { return row.last_attempt.value(); }, [](AccountRow& row, WallTime time) { row.last_attempt = time; });
}

TEST_F(TimesAhead, OfTheLastSuccess) {
  expect_becomes_now([](const AccountRow& row) { return row.last_success.value(); }, [](AccountRow& row, WallTime time) { row.last_success = time; });
}

TEST_F(TimesAhead, OfTheLastErrorWhichKeepsItsWords) {
  expect_becomes_now(
      [](const AccountRow& row) { return row.last_error.value().at; },
      [](AccountRow& row, WallTime time) { row.last_error = LastError{.at = time, .code = "timeout", .message = "silent", .hint = "wait"}; });
  EXPECT_EQ(home().last_error->message, "silent");
}

TEST_F(TimesAhead, OfTheLastLoginUpwardsToTheFullSecond) {
  expect_becomes_now([](const AccountRow& row) { return row.last_login.value(); }, [](AccountRow& row, WallTime time) { row.last_login = time; }, 1s);
}

TEST_F(TimesAhead, OfTheAnswersToTopThatWereWrong) {
  expect_becomes_now([](const AccountRow& row) { return row.top_off_since.value(); },
                     [](AccountRow& row, WallTime time) { row.top_off_since = time; });
}

TEST_F(TimesAhead, OfAPlanThatIsFurtherAheadThanItsDelay) {
  keep(home(), kNow + 1h, 1h);
  EXPECT_FALSE(bring_back());
  EXPECT_EQ(home().next_sync, kNow + 1h);
  keep(home(), kNow + 1h + 1s, 1h);
  EXPECT_TRUE(bring_back());
  EXPECT_EQ(home().next_sync, kNow + 1h);
  EXPECT_FALSE(bring_back());
}

TEST_F(TimesAhead, OfAPlanThatDoesNotTellItsDelay) {
  keep(home(), kNow + kDelayUntold);
  EXPECT_FALSE(bring_back());
  keep(home(), kNow + 5 * 365 * 24h);
  EXPECT_TRUE(bring_back());
  EXPECT_EQ(home().next_sync, kNow + kDelayUntold);
}

TEST_F(TimesAhead, OfOneAccountLeaveTheOthersAlone) {
  AccountRow account = home();
  account.last_attempt = kNow + 1h;
  keep(account);
  AccountRow work = store_->account(kWork).value();
  work.last_attempt = kNow - 1h;
  keep(work, kNow + 30s, 60s);
  EXPECT_TRUE(bring_back());
  EXPECT_EQ(store_->account(kWork)->last_attempt, kNow - 1h);
  EXPECT_EQ(store_->account(kWork)->next_sync, kNow + 30s);
  EXPECT_FALSE(home().next_sync);
}

}  // namespace
}  // namespace popsync::state
