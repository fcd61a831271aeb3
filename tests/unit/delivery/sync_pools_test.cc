// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <latch>

#include "delivery/sync_pool.h"

namespace popsync::delivery {
namespace {

TEST(SyncPools, DiskThatHangsHoldsUpNoOther) {
  SyncPools pools(2);
  const auto dead = pools.of(1);
  const auto well = pools.of(2);
  std::latch answers(1);
  std::vector<PendingSync> hung;
  for (std::size_t i = 0; i < 2 * kSyncGroup; ++i) hung.push_back(dead->submit([&] { answers.wait(); }));
  int done = 0;
  for (int i = 0; i < 3; ++i) well->submit([&] { ++done; }).get();
  EXPECT_EQ(done, 3);
  answers.count_down();
  for (PendingSync& each : hung) each.get();
}

TEST(SyncPools, SessionsOnOneDiskShareItsThreads) {
  SyncPools pools(2);
  const auto first = pools.of(1);
  EXPECT_EQ(pools.of(1), first);
  EXPECT_NE(pools.of(2), first);
}

TEST(SyncPools, WithoutAThreadLeftWhoNeedsASyncWaitsForItItself) {
  const auto budget = std::make_shared<ThreadBudget>(1);
  std::latch answers(1);
  SyncPool dead(4, budget);
  PendingSync hung = dead.submit([&] { answers.wait(); });
  while (dead.begin_next()) {
  }
  SyncPool other(4, budget);
  bool done = false;
  other.submit([&] { done = true; }).get();
  EXPECT_TRUE(done);
  answers.count_down();
  hung.get();
}

TEST(SyncPools, ThreadsAreGivenBackWithTheirPool) {
  const auto budget = std::make_shared<ThreadBudget>(1);
  for (int i = 0; i < 3; ++i) SyncPool(4, budget).submit([] {}).get();
  EXPECT_TRUE(budget->take());
  EXPECT_FALSE(budget->take());
}

}  // namespace
}  // namespace popsync::delivery
