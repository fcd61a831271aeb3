// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <gtest/gtest.h>

#include <sys/timex.h>

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

TEST(ManualClock, IsSetWithoutANoticeOfTheOthers) {
  ManualClock clock(from_unix_seconds(1'000));
  clock.advance(90s);
  clock.set_wall(from_unix_seconds(500));
  const ClockReading now = clock.reading();
  EXPECT_EQ(now.wall, from_unix_seconds(500));
  EXPECT_EQ(now.since_boot, 90s);
  EXPECT_TRUE(now.synchronised);
  clock.set_synchronised(false);
  EXPECT_FALSE(clock.reading().synchronised);
}

TEST(ManualClock, StartsAnotherBoot) {
  ManualClock clock;
  clock.advance(90s);
  const ClockReading before = clock.reading();
  clock.restart_machine();
  EXPECT_NE(clock.reading().boot_id, before.boot_id);
  EXPECT_EQ(clock.reading().since_boot, 0s);
  EXPECT_EQ(clock.reading().wall, before.wall);
}

TEST(SystemClock, TellsTheTimeOfTheMachine) {
  const Clock& clock = system_clock();
  const SteadyTime before = clock.steady();
  EXPECT_LE(before, clock.steady());
  EXPECT_GT(clock.wall(), from_unix_seconds(1'700'000'000));
  EXPECT_EQ(&clock, &system_clock());
}

TEST(SystemClock, TellsWhichBootThisIsAndHowLongAgo) {
  const ClockReading now = system_clock().reading();
  EXPECT_EQ(now.boot_id.size(), 32U) << now.boot_id;
  EXPECT_GT(now.since_boot, 0s);
  EXPECT_EQ(system_clock().reading().boot_id, now.boot_id);
}

TEST(SystemClock, IsSynchronisedByTheOperatorsWord) {
  EXPECT_TRUE(trusted_system_clock().reading().synchronised);
  EXPECT_EQ(trusted_system_clock().reading().boot_id, system_clock().reading().boot_id);
}

TEST(IsSynchronised, AsTheKernelTells) {
  EXPECT_TRUE(is_synchronised(TIME_OK, STA_PLL));
  EXPECT_TRUE(is_synchronised(TIME_INS, 0)) << "a leap second comes, and it knows when";
  EXPECT_FALSE(is_synchronised(TIME_ERROR, STA_UNSYNC)) << "nobody has set it, or somebody has by hand";
  EXPECT_FALSE(is_synchronised(TIME_ERROR, STA_CLOCKERR));
  EXPECT_FALSE(is_synchronised(TIME_OK, STA_UNSYNC));
  EXPECT_FALSE(is_synchronised(-1, 0)) << "a sandbox forbids the question";
}

TEST(UnixSeconds, ThereAndBackAgain) {
  for (const std::int64_t seconds : {0L, 1L, 1'700'000'000L, 4'102'444'800L}) EXPECT_EQ(to_unix_seconds(from_unix_seconds(seconds)), seconds);
  EXPECT_EQ(to_unix_seconds(from_unix_seconds(5) + 999ms), 5);
}

}  // namespace
}  // namespace popsync
