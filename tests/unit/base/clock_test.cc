// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <gtest/gtest.h>

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

TEST(UnixSeconds, ThereAndBackAgain) {
  for (const std::int64_t seconds : {0L, 1L, 1'700'000'000L, 4'102'444'800L}) EXPECT_EQ(to_unix_seconds(from_unix_seconds(seconds)), seconds);
  EXPECT_EQ(to_unix_seconds(from_unix_seconds(5) + 999ms), 5);
}

}  // namespace
}  // namespace popsync
