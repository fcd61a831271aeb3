// SPDX-License-Identifier: MIT
#include "schedule/backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace popsync::schedule {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kLowest = 0.0;
constexpr double kHighest = 0.999999;

NextAttempt next(Outcome outcome, unsigned times, seconds interval = 5min, double random = 0.5) {
  return next_attempt({.outcome = outcome, .times = times, .interval = interval, .random = random});
}

milliseconds longest(Outcome outcome, unsigned times, seconds interval = 5min) { return next(outcome, times, interval, kHighest).delay.value(); }
milliseconds shortest(Outcome outcome, unsigned times, seconds interval = 5min) { return next(outcome, times, interval, kLowest).delay.value(); }

TEST(Backoff, EveryErrorHasItsOutcome) {
  const std::vector<std::pair<ErrorCode, Outcome>> table = {
      // passes by itself
      {ErrorCode::network, Outcome::temporary},
      {ErrorCode::timeout, Outcome::temporary},
      {ErrorCode::dns_temporary, Outcome::temporary},
      {ErrorCode::server_temporary, Outcome::temporary},
      {ErrorCode::greeting_refused, Outcome::temporary},
      {ErrorCode::desynchronised, Outcome::temporary},
      {ErrorCode::interrupted, Outcome::temporary},
      // with a pace of their own
      {ErrorCode::host_unknown, Outcome::host_unknown},
      {ErrorCode::in_use, Outcome::in_use},
      {ErrorCode::login_delay, Outcome::login_delay},
      {ErrorCode::lock_held, Outcome::lock_held},
      {ErrorCode::login_refused, Outcome::login_refused},
      {ErrorCode::login_unclear, Outcome::login_unclear},
      // on this machine
      {ErrorCode::configuration, Outcome::local},
      {ErrorCode::account_identity, Outcome::local},
      {ErrorCode::mailstore_foreign, Outcome::local},
      {ErrorCode::mailstore_unavailable, Outcome::local},
      {ErrorCode::state_unavailable, Outcome::local},
      {ErrorCode::secret_unavailable, Outcome::local},
      {ErrorCode::disk_full, Outcome::local},
      {ErrorCode::disk_hangs, Outcome::local},
      // until something changes
      {ErrorCode::certificate, Outcome::lasting},
      {ErrorCode::tls_failed, Outcome::lasting},
      {ErrorCode::insecure_login, Outcome::lasting},
      {ErrorCode::not_pop3, Outcome::lasting},
      {ErrorCode::io_error, Outcome::lasting},
      {ErrorCode::state_corrupt, Outcome::lasting},
      {ErrorCode::newer_schema, Outcome::lasting},
      {ErrorCode::bug, Outcome::lasting},
      // no session ends with these
      {ErrorCode::usage, Outcome::lasting},
      {ErrorCode::unknown_account, Outcome::lasting},
      {ErrorCode::unknown_uid, Outcome::lasting},
      {ErrorCode::file_not_found, Outcome::lasting},
      {ErrorCode::differences, Outcome::lasting},
      {ErrorCode::server_permanent, Outcome::permanent},
  };
  for (const auto& [code, outcome] : table) EXPECT_EQ(classify(code), outcome) << name_of(code);
  EXPECT_EQ(table.size(), static_cast<std::size_t>(ErrorCode::differences) + 1) << "a new error code needs a line here";
}

TEST(Backoff, SuccessWaitsTheIntervalGiveOrTakeATwentieth) {
  EXPECT_EQ(shortest(Outcome::success, 1), 285s);
  EXPECT_EQ(next(Outcome::success, 1).delay, 300s);
  EXPECT_NEAR(static_cast<double>(longest(Outcome::success, 1).count()), 315'000, 2);
  EXPECT_FALSE(next(Outcome::success, 1).needs_operator);
}

TEST(Backoff, TemporaryFailuresDoubleFromThirtySecondsToHalfAnHour) {
  const std::vector<seconds> expected = {30s, 60s, 120s, 240s, 480s, 960s, 1800s, 1800s};
  for (unsigned i = 0; i < expected.size(); ++i) {
    EXPECT_LE(longest(Outcome::temporary, i + 1), expected[i]);
    EXPECT_GT(longest(Outcome::temporary, i + 1), expected[i] - 1s);
    EXPECT_EQ(shortest(Outcome::temporary, i + 1), expected[i] * 4 / 5);
    EXPECT_FALSE(next(Outcome::temporary, i + 1).needs_operator);
  }
  EXPECT_LE(longest(Outcome::temporary, 4'000'000'000U), 30min);
}

TEST(Backoff, TemporaryFailuresOfASlowAccountAreCappedAtItsInterval) {
  EXPECT_GT(longest(Outcome::temporary, 20, 2h), 2h - 1s);
  EXPECT_LE(longest(Outcome::temporary, 20, 2h), 2h);
}

TEST(Backoff, UnknownHostNeedsAnOperatorOnlyWhenItGoesOn) {
  EXPECT_FALSE(next(Outcome::host_unknown, 2).needs_operator);
  EXPECT_TRUE(next(Outcome::host_unknown, 3).needs_operator);
  EXPECT_LE(longest(Outcome::host_unknown, 50), 30min);
}

TEST(Backoff, MaildropInUseGrowsFromOneToTenMinutesWithoutAlarm) {
  const std::vector<seconds> expected = {1min, 2min, 4min, 8min, 10min, 10min};
  for (unsigned i = 0; i < expected.size(); ++i) {
    EXPECT_LE(longest(Outcome::in_use, i + 1), expected[i]);
    EXPECT_EQ(shortest(Outcome::in_use, i + 1), expected[i] * 4 / 5);
    EXPECT_FALSE(next(Outcome::in_use, i + 1).needs_operator);
  }
}

TEST(Backoff, LockHeldByAnotherPopsyncGrowsFromThirtySecondsToFiveMinutesWithoutAlarm) {
  EXPECT_EQ(shortest(Outcome::lock_held, 1), 24s);
  EXPECT_LE(longest(Outcome::lock_held, 1), 30s);
  EXPECT_LE(longest(Outcome::lock_held, 100), 5min);
  EXPECT_EQ(shortest(Outcome::lock_held, 100), 4min);
  EXPECT_FALSE(next(Outcome::lock_held, 100).needs_operator);
}

// protocol.md 36
TEST(Backoff, NoOutcomeComesBeforeTheServersLoginDelay) {
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    for (const double random : {kLowest, 0.5, kHighest}) {
      const auto attempt = next_attempt({.outcome = static_cast<Outcome>(i), .interval = 1min, .login_delay = 900s, .random = random});
      ASSERT_TRUE(attempt.delay);
      EXPECT_GE(*attempt.delay, 900s) << i;
    }
  }
}

TEST(Backoff, LoginDelayShorterThanTheIntervalChangesNothing) { EXPECT_EQ(next_attempt({.interval = 5min, .login_delay = 60s}).delay, 300s); }

TEST(Backoff, LoginDelayWithoutANumberGrowsAndIsNoAlarm) {
  EXPECT_EQ(shortest(Outcome::login_delay, 1), 4min);
  EXPECT_LE(longest(Outcome::login_delay, 1), 5min);
  EXPECT_LE(longest(Outcome::login_delay, 9), 30min);
  EXPECT_FALSE(next(Outcome::login_delay, 9).needs_operator);
}

TEST(Backoff, SecretThatNeverWorkedIsTriedThreeTimes) {
  const auto refused = [](unsigned times) { return next_attempt({.outcome = Outcome::login_refused, .times = times, .random = kHighest}); };
  ASSERT_TRUE(refused(1).delay);
  EXPECT_LE(*refused(1).delay, 30s);
  EXPECT_FALSE(refused(1).needs_operator);
  ASSERT_TRUE(refused(2).delay);
  EXPECT_LE(*refused(2).delay, 60s);
  EXPECT_FALSE(refused(2).needs_operator);
  EXPECT_EQ(refused(3), (NextAttempt{std::nullopt, true}));
  EXPECT_EQ(refused(4), (NextAttempt{std::nullopt, true}));
}

TEST(Backoff, SecretThatHasWorkedIsTriedAfterOneHourThenEverySix) {
  const auto refused = [](unsigned times) { return next_attempt({.outcome = Outcome::login_refused, .times = times, .secret_worked = true}); };
  EXPECT_EQ(refused(1), (NextAttempt{1h, true}));
  EXPECT_EQ(refused(2), (NextAttempt{6h, true}));
  EXPECT_EQ(refused(50), (NextAttempt{6h, true}));
}

TEST(Backoff, UnclearRefusalIsTriedSixTimesThenAfterAnHourThenEverySixWhateverTheSecret) {
  for (const bool worked : {false, true}) {
    const auto refused = [worked](unsigned times) {
      return next_attempt({.outcome = Outcome::login_unclear, .times = times, .secret_worked = worked});
    };
    for (unsigned times = 1; times < kUnclearRefusalsMax; ++times) {
      ASSERT_TRUE(refused(times).delay);
      EXPECT_LE(*refused(times).delay, 8min);
      EXPECT_FALSE(refused(times).needs_operator);
    }
    EXPECT_EQ(refused(kUnclearRefusalsMax), (NextAttempt{1h, true}));
    EXPECT_EQ(refused(kUnclearRefusalsMax + 1), (NextAttempt{6h, true}));
    EXPECT_EQ(refused(4'000'000'000U), (NextAttempt{6h, true}));
  }
}

TEST(Backoff, SeldomTriedAccountIsNotTriedMoreOftenForARefusal) {
  EXPECT_EQ(next_attempt({.outcome = Outcome::login_unclear, .times = 6, .interval = 12h}), (NextAttempt{12h, true}));
}

TEST(Backoff, LocalTroubleIsLookedAtEveryFiveMinutesAndNeedsAnOperator) {
  EXPECT_EQ(next(Outcome::local, 1), (NextAttempt{5min, true}));
  EXPECT_EQ(next(Outcome::local, 1000, 12h), (NextAttempt{5min, true}));
}

TEST(Backoff, LastingTroubleGrowsFromTenMinutesToOneDay) {
  EXPECT_EQ(shortest(Outcome::lasting, 1), 8min);
  EXPECT_LE(longest(Outcome::lasting, 1), 10min);
  EXPECT_EQ(shortest(Outcome::lasting, 9), seconds(24h) * 4 / 5);
  EXPECT_LE(longest(Outcome::lasting, 100), 24h);
  EXPECT_TRUE(next(Outcome::lasting, 1).needs_operator);
}

TEST(Backoff, PermanentRefusalIsTriedOnceADay) {
  EXPECT_EQ(next(Outcome::permanent, 1), (NextAttempt{24h, true}));
  EXPECT_EQ(next(Outcome::permanent, 9), (NextAttempt{24h, true}));
}

}  // namespace
}  // namespace popsync::schedule
