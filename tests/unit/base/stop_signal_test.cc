// SPDX-License-Identifier: MIT
#include "base/stop_signal.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace popsync {
namespace {

constexpr int kForEver = -1;

int readable(const StopSignal& signal, int patience_ms) {
  pollfd wait{.fd = signal.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, patience_ms);
}

TEST(StopSignal, IsSilentUntilStopIsRequested) {
  std::stop_source source;
  const StopSignal signal(source.get_token());
  EXPECT_FALSE(signal.stopped());
  EXPECT_EQ(readable(signal, 0), 0);
}

TEST(StopSignal, BecomesReadableAtStopAndStaysSo) {
  std::stop_source source;
  const StopSignal signal(source.get_token());
  source.request_stop();
  EXPECT_TRUE(signal.stopped());
  EXPECT_EQ(readable(signal, 0), 1);
  EXPECT_EQ(readable(signal, 0), 1);
}

TEST(StopSignal, OfAStopThatWasRequestedBeforeIsReadableFromTheStart) {
  std::stop_source source;
  source.request_stop();
  const StopSignal signal(source.get_token());
  EXPECT_TRUE(signal.stopped());
  EXPECT_EQ(readable(signal, 0), 1);
}

TEST(StopSignal, WakesAPollInAnotherThread) {
  std::stop_source source;
  const StopSignal signal(source.get_token());
  int woken = 0;
  {
    const std::jthread waiting([&] { woken = readable(signal, kForEver); });
    source.request_stop();
  }
  EXPECT_EQ(woken, 1);
}

TEST(StopSignal, SeveralSignalsOfOneSourceAllHearIt) {
  std::stop_source source;
  const StopSignal left(source.get_token());
  const StopSignal right(left.token());
  source.request_stop();
  EXPECT_EQ(readable(left, 0), 1);
  EXPECT_EQ(readable(right, 0), 1);
}

}  // namespace
}  // namespace popsync
