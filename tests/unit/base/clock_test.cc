// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <gtest/gtest.h>

#include <sys/timex.h>

#include <stdexcept>

namespace popsync {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, StandsStillUntilItIsToldToMove) {
  ManualClock clock(from_unix_seconds(1'000));
  const SteadyTime steady = clock.steady();
  EXPECT_EQ(clock.wall(), from_unix_seconds(1'000));
  EXPECT_EQ(clock.steady(), steady);
  clock.advance(90s);
  EXPECT_EQ(clock.wall(), from_unix_seconds(1'090));
  EXPECT_EQ(clock.steady() - steady, 90s);
}

TEST(ManualClock, IsTrustedUntilToldOtherwise) {
  ManualClock clock;
  EXPECT_TRUE(clock.trusted());
  clock.set_trusted(false);
  EXPECT_FALSE(clock.trusted());
}

TEST(SystemClock, TellsTheTimeOfTheMachine) {
  const Clock& clock = system_clock();
  const SteadyTime before = clock.steady();
  EXPECT_LE(before, clock.steady());
  EXPECT_GT(clock.wall(), from_unix_seconds(1'700'000'000));
  EXPECT_EQ(&clock, &system_clock());
}

TEST(DateIsKnown, InTheFirstHourOnlyIfTheKernelCallsTheClockSynchronised) {
  for (const std::chrono::seconds uptime : {0s, 3599s}) {
    EXPECT_TRUE(date_is_known(uptime, [] { return TIME_OK; }));
    EXPECT_TRUE(date_is_known(uptime, [] { return TIME_INS; })) << "a leap second comes, and it knows when";
    EXPECT_FALSE(date_is_known(uptime, [] { return TIME_ERROR; }));
    EXPECT_FALSE(date_is_known(uptime, [] { return -1; })) << "the sandbox forbids the question";
  }
}

TEST(DateIsKnown, AfterTheFirstHourAndNobodyIsAsked) {
  EXPECT_TRUE(date_is_known(3600s, []() -> int { throw std::logic_error("asked"); }));
}

TEST(UnixSeconds, ThereAndBackAgain) {
  for (const std::int64_t seconds : {0L, 1L, 1'700'000'000L, 4'102'444'800L}) EXPECT_EQ(to_unix_seconds(from_unix_seconds(seconds)), seconds);
  EXPECT_EQ(to_unix_seconds(from_unix_seconds(5) + 999ms), 5);
}

}  // namespace
}  // namespace popsync
