// SPDX-License-Identifier: MIT
#include "schedule/alarm.h"

#include <gtest/gtest.h>

#include <thread>

namespace popsync::schedule {
namespace {

using namespace std::chrono_literals;

TEST(Alarm, WakeBeforeTheWaitIsNotLost) {
  Alarm alarm;
  alarm.wake();
  alarm.wait(std::nullopt);
}

TEST(Alarm, WakeFromAnotherThreadEndsAWaitWithoutLimit) {
  Alarm alarm;
  const std::jthread other([&] { alarm.wake(); });
  alarm.wait(std::nullopt);
}

TEST(Alarm, WaitEndsWithItsDelayAlsoIfThatIsOver) {
  Alarm alarm;
  alarm.wait(1ms);
  alarm.wait(0ns);
  alarm.wait(-5s);
}

TEST(Alarm, ExpiredDelayDoesNotEndTheNextWait) {
  Alarm alarm;
  alarm.wait(1ns);
  bool woken = false;
  // Only the wake below may end the second wait; the flag is set before it.
  const std::jthread other([&] {
    woken = true;
    alarm.wake();
  });
  alarm.wait(std::nullopt);
  EXPECT_TRUE(woken);
}

}  // namespace
}  // namespace popsync::schedule
