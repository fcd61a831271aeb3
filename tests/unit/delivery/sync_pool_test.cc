// SPDX-License-Identifier: MIT
#include "delivery/sync_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <set>
#include <stdexcept>

#include "base/error.h"

namespace popsync::delivery {
namespace {

TEST(SyncPool, WithoutThreadsTasksRunAtOnceInOrder) {
  SyncPool pool(0);
  std::vector<int> order;
  std::thread::id ran_in;
  auto first = pool.submit([&] {
    order.push_back(1);
    ran_in = std::this_thread::get_id();
  });
  EXPECT_EQ(order, std::vector<int>({1}));
  auto second = pool.submit([&] { order.push_back(2); });
  EXPECT_EQ(order, std::vector<int>({1, 2}));
  EXPECT_EQ(ran_in, std::this_thread::get_id());
  EXPECT_NO_THROW(first.get());
  EXPECT_NO_THROW(second.get());
}

TEST(SyncPool, WhatATaskThrowsIsInItsFutureAlone) {
  for (const std::size_t threads : {0U, 2U}) {
    SyncPool pool(threads);
    auto bad = pool.submit([] { throw Error(ErrorCode::io_error, "no sync"); });
    auto good = pool.submit([] {});
    EXPECT_THROW(bad.get(), Error);
    EXPECT_NO_THROW(good.get());
  }
}

TEST(SyncPool, RunsEveryTaskOnce) {
  constexpr std::size_t kTasks = 2000;
  SyncPool pool(4);
  std::vector<std::atomic<int>> runs(kTasks);
  std::vector<PendingSync> done;
  for (std::atomic<int>& run : runs) done.push_back(pool.submit([&run] { ++run; }));
  for (auto& each : done) each.get();
  for (const std::atomic<int>& run : runs) EXPECT_EQ(run.load(), 1);
}

TEST(SyncPool, TasksWaitForTheDiskSideBySide) {
  constexpr int kTasks = 8;
  SyncPool pool(kTasks);
  std::latch all_run(kTasks);  // opens only if all run at once
  std::vector<PendingSync> done;
  for (int i = 0; i < kTasks; ++i) done.push_back(pool.submit([&] { all_run.arrive_and_wait(); }));
  for (auto& each : done) each.get();
}

TEST(SyncPool, BeginsAGroupThoughNobodyWaits) {
  SyncPool pool(1);
  std::latch all_run(kSyncGroup);
  for (std::size_t i = 0; i < kSyncGroup; ++i) (void)pool.submit([&] { all_run.count_down(); });
  all_run.wait();
}

TEST(SyncPool, BeginsFewerWhenSomebodyWaits) {
  SyncPool pool(1);
  bool run = false;
  (void)pool.submit([] {});
  pool.submit([&] { run = true; }).get();
  EXPECT_TRUE(run);
}

TEST(SyncPool, ATaskThatHangsHoldsUpNoOther) {
  std::latch released(1);
  SyncPool pool(2);
  PendingSync hung = pool.submit([&] { released.wait(); });
  std::vector<PendingSync> others;
  for (std::size_t i = 0; i < kSyncGroup * 2; ++i) others.push_back(pool.submit([] {}));
  for (PendingSync& other : others) other.get();
  released.count_down();
  hung.get();
}

// What waits behind slow syncs is begun by a thread that ends one, or when enough of it waits; nobody has to ask.
TEST(SyncPool, BeginsWhatWaitsBehindSlowSyncs) {
  constexpr std::size_t kUnderWay = 2 * kQueuedShare;
  constexpr std::size_t kEnough = kUnderWay / kQueuedShare + 1;
  std::latch all_begun(kUnderWay);
  std::latch released(1);
  std::latch more_begun(kEnough);
  std::latch last_begun(1);
  SyncPool pool(kUnderWay + 1);
  pool.submit([] {
        const auto end = std::chrono::steady_clock::now() + 2 * kSlowSync;
        while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
      })
      .get();
  for (std::size_t i = 0; i < kUnderWay; ++i) {
    (void)pool.submit([&] {
      all_begun.count_down();
      released.wait();
    });
  }
  while (pool.begin_next()) {  // some may have waited for a thread
  }
  all_begun.wait();
  for (std::size_t i = 0; i < kEnough; ++i) (void)pool.submit([&] { more_begun.count_down(); });
  more_begun.wait();  // by the thread that is left
  (void)pool.submit([&] { last_begun.count_down(); });
  released.count_down();
  last_begun.wait();
}

TEST(SyncPool, NeverHasMoreThreadsThanItWasGiven) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  {
    SyncPool pool(3);
    std::vector<PendingSync> done;
    for (int i = 0; i < 500; ++i) {
      done.push_back(pool.submit([&] {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }));
    }
    for (auto& each : done) each.get();
  }
  EXPECT_LE(threads.size(), 3U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(SyncPool, TakesTasksFromSeveralThreads) {
  SyncPool pool(2);
  std::atomic<int> runs = 0;
  {
    std::vector<std::jthread> accounts;
    for (int i = 0; i < 4; ++i) {
      accounts.emplace_back([&] {
        std::vector<PendingSync> done;
        for (int task = 0; task < 200; ++task) done.push_back(pool.submit([&] { ++runs; }));
        for (auto& each : done) each.get();
      });
    }
  }
  EXPECT_EQ(runs, 800);
}

TEST(SyncPool, RunsWhatIsQueuedBeforeItEnds) {
  std::atomic<int> runs = 0;
  {
    SyncPool pool(1);
    for (int i = 0; i < 100; ++i) (void)pool.submit([&] { ++runs; });
  }
  EXPECT_EQ(runs, 100);
}

}  // namespace
}  // namespace popsync::delivery
