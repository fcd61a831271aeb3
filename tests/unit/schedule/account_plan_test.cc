// SPDX-License-Identifier: MIT
#include "schedule/account_plan.h"

#include <gtest/gtest.h>

namespace popsync::schedule {
namespace {

using namespace std::chrono_literals;

constexpr auto kInterval = std::chrono::seconds(5min);
const WallTime kWall(std::chrono::seconds(1'700'000'000));
const SteadyTime kNow(1000s);

AccountPlan fresh() { return {Account{.name = "work", .host = "pop.example.org"}, kWall, kNow}; }

std::optional<SteadyTime> record(AccountPlan& plan, Result result, SteadyTime now = kNow) { return plan.record(result, kInterval, now, 0.5); }

TEST(AccountPlan, FreshAccountMayStartNow) {
  EXPECT_EQ(fresh().allowed(kNow), kNow);
  EXPECT_FALSE(fresh().needs_operator());
}

TEST(AccountPlan, LoginDelayReachesOverARestart) {
  const Account account{.name = "work", .login_delay = 600s, .last_login = kWall - 100s};
  EXPECT_EQ(AccountPlan(account, kWall, kNow).allowed(kNow), kNow + 500s);
}

TEST(AccountPlan, LastLoginInTheFutureWaitsTheDelayAndNoLonger) {
  const Account account{.name = "work", .login_delay = 600s, .last_login = kWall + 24h * 365};
  EXPECT_EQ(AccountPlan(account, kWall, kNow).allowed(kNow), kNow + 600s);
}

TEST(AccountPlan, LoginDelayOnceToldHoldsForLaterSessionsAndForSyncNow) {
  AccountPlan plan = fresh();
  record(plan, {.login_delay = 900s, .secret_worked = true});
  const auto due = record(plan, {.error = ErrorCode::network});
  ASSERT_TRUE(due);
  EXPECT_GE(*due, kNow + 900s);
  EXPECT_EQ(plan.allowed(kNow + 10s), kNow + 900s);
  EXPECT_EQ(plan.allowed(kNow + 1000s), kNow + 1000s);
}

TEST(AccountPlan, HeldLockDoesNotProlongTheLoginDelayAndIsNoFailure) {
  AccountPlan plan = fresh();
  record(plan, {.login_delay = 900s});
  record(plan, {.error = ErrorCode::lock_held}, kNow + 600s);
  EXPECT_EQ(plan.allowed(kNow), kNow + 900s);
  EXPECT_EQ(plan.failures(), 0U);
}

TEST(AccountPlan, RefusalsAddUpOverOtherFailures) {
  AccountPlan plan = fresh();
  EXPECT_TRUE(record(plan, {.error = ErrorCode::login_refused}));
  EXPECT_TRUE(record(plan, {.error = ErrorCode::network}));
  EXPECT_TRUE(record(plan, {.error = ErrorCode::login_refused}));
  EXPECT_TRUE(record(plan, {.error = ErrorCode::timeout}));
  EXPECT_EQ(record(plan, {.error = ErrorCode::login_refused}), std::nullopt);
  EXPECT_TRUE(plan.needs_operator());
  EXPECT_EQ(plan.failures(), 5U);
}

TEST(AccountPlan, FirstInUseAfterANightWithoutNetworkWaitsOneMinute) {
  AccountPlan plan = fresh();
  for (int i = 0; i < 20; ++i) record(plan, {.error = ErrorCode::network});
  EXPECT_LE(record(plan, {.error = ErrorCode::in_use}), kNow + 1min);
}

TEST(AccountPlan, NetworkFailureDoesNotMakeARefusedLoginRight) {
  AccountPlan plan = fresh();
  record(plan, {.error = ErrorCode::login_refused, .secret_worked = true});
  record(plan, {.error = ErrorCode::network});
  EXPECT_TRUE(plan.needs_operator());
}

TEST(AccountPlan, SuccessEndsAllTrouble) {
  AccountPlan plan = fresh();
  for (int i = 0; i < 5; ++i) record(plan, {.error = ErrorCode::certificate});
  EXPECT_EQ(record(plan, {}), kNow + kInterval);
  EXPECT_FALSE(plan.needs_operator());
  EXPECT_EQ(plan.failures(), 0U);
  EXPECT_LE(record(plan, {.error = ErrorCode::certificate}), kNow + 10min);
}

TEST(AccountPlan, RefusalsOfOtherProcessesCount) {
  AccountPlan plan = fresh();
  EXPECT_EQ(record(plan, {.error = ErrorCode::login_refused, .refusals = 3}), std::nullopt);
  EXPECT_TRUE(plan.needs_operator());
  plan.forgive();
  EXPECT_EQ(record(plan, {.error = ErrorCode::login_refused, .refusals = 4}), std::nullopt);
}

TEST(AccountPlan, UnclearRefusalsOfOtherProcessesCount) {
  AccountPlan plan = fresh();
  EXPECT_LE(record(plan, {.error = ErrorCode::login_unclear, .secret_worked = true, .refusals = 5}), kNow + 10min);
  EXPECT_FALSE(plan.needs_operator());
  EXPECT_TRUE(plan.refused());
  EXPECT_EQ(record(plan, {.error = ErrorCode::login_unclear, .secret_worked = true, .refusals = 6}), kNow + 1h);
  EXPECT_TRUE(plan.needs_operator());
  EXPECT_EQ(record(plan, {.error = ErrorCode::login_unclear, .secret_worked = true, .refusals = 7}), kNow + 6h);
}

// A provider counts them alike.
TEST(AccountPlan, UnclearRefusalsCountForAClearOne) {
  AccountPlan plan = fresh();
  record(plan, {.error = ErrorCode::login_unclear, .refusals = 1});
  record(plan, {.error = ErrorCode::login_unclear, .refusals = 2});
  EXPECT_EQ(record(plan, {.error = ErrorCode::login_refused, .refusals = 3}), std::nullopt);
}

TEST(AccountPlan, FailuresOfTheNetworkAreNoRefusalsBehindARestart) {
  for (const ErrorCode code : {ErrorCode::login_refused, ErrorCode::login_unclear}) {
    const Account account{.name = "work", .standing = {.failures = 9, .last_error = code, .next_sync = kWall}};
    AccountPlan plan(account, kWall, kNow);
    EXPECT_LE(record(plan, {.error = code, .refusals = 2}), kNow + 1min);
    EXPECT_FALSE(plan.needs_operator());
  }
}

TEST(AccountPlan, TroubleReachesOverARestart) {
  const Account account{.name = "work", .standing = {.needs_operator = true, .failures = 2, .last_error = ErrorCode::certificate}};
  AccountPlan plan(account, kWall, kNow);
  EXPECT_TRUE(plan.needs_operator());
  EXPECT_EQ(plan.failures(), 2U);
  EXPECT_GT(record(plan, {.error = ErrorCode::certificate}), kNow + 20min);
}

TEST(LeftToOperator, IsWhatNeedsOneUntilItsTimeHasCome) {
  const auto left = [](Standing standing) { return left_to_operator(standing, kWall); };
  EXPECT_FALSE(left({}));
  EXPECT_FALSE(left({.failures = 5, .last_error = ErrorCode::network}));
  EXPECT_TRUE(left({.needs_operator = true, .last_error = ErrorCode::login_refused}));
  EXPECT_TRUE(left({.needs_operator = true, .last_error = ErrorCode::login_refused, .next_sync = kWall + 1s}));
  EXPECT_FALSE(left({.needs_operator = true, .last_error = ErrorCode::login_refused, .next_sync = kWall}));
  // A refused login waits its time also where nobody is needed yet.
  EXPECT_TRUE(left({.failures = 1, .last_error = ErrorCode::login_refused, .next_sync = kWall + 1s}));
  EXPECT_FALSE(left({.failures = 1, .last_error = ErrorCode::login_refused, .next_sync = kWall}));
  EXPECT_FALSE(left({.failures = 1, .last_error = ErrorCode::login_refused}));
  EXPECT_FALSE(left({.failures = 1, .last_error = ErrorCode::network, .next_sync = kWall + 1s}));
  EXPECT_TRUE(left({.failures = 1, .last_error = ErrorCode::login_unclear, .next_sync = kWall + 1s}));
  EXPECT_FALSE(left({.failures = 1, .last_error = ErrorCode::login_unclear, .next_sync = kWall}));
  EXPECT_TRUE(left({.needs_operator = true, .last_error = ErrorCode::login_unclear, .next_sync = kWall + 1s}));
  // Trouble on this machine, and what passes by itself.
  EXPECT_FALSE(left({.needs_operator = true, .last_error = ErrorCode::io_error, .next_sync = kWall + 1h}));
  EXPECT_FALSE(left({.needs_operator = true, .last_error = ErrorCode::network, .next_sync = kWall + 1h}));
  EXPECT_FALSE(left({.needs_operator = true, .last_error = ErrorCode::mailstore_unavailable, .next_sync = kWall + 1h}));
  EXPECT_FALSE(left({.needs_operator = true, .last_error = ErrorCode::secret_unavailable, .next_sync = kWall + 1h}));
}

TEST(AccountPlan, TellsThatTheLastLoginWasRefused) {
  AccountPlan plan = fresh();
  record(plan, {.error = ErrorCode::login_refused});
  EXPECT_TRUE(plan.refused());
  record(plan, {.error = ErrorCode::network});
  EXPECT_FALSE(plan.refused());
  const Account refused{.name = "work", .standing = {.failures = 1, .last_error = ErrorCode::login_refused, .next_sync = kWall + 1s}};
  AccountPlan again(refused, kWall, kNow);
  EXPECT_TRUE(again.refused());
  EXPECT_FALSE(again.needs_operator());
  EXPECT_EQ(again.failures(), 1U);
  again.forgive();
  EXPECT_FALSE(again.refused());
}

TEST(AccountPlan, ForgivenAccountHasThreeTriesAgain) {
  AccountPlan plan = fresh();
  for (int i = 0; i < 3; ++i) record(plan, {.error = ErrorCode::login_refused});
  plan.forgive();
  EXPECT_FALSE(plan.needs_operator());
  EXPECT_TRUE(record(plan, {.error = ErrorCode::login_refused}));
}

}  // namespace
}  // namespace popsync::schedule
