// SPDX-License-Identifier: MIT
// Threads that do nothing but wait for the disk: the syncs of one batch of files run side by side, because a disk that needs 5 ms for one sync needs
// little more for thirty at once. A pool belongs to a disk: one that does not answer holds its own threads and nobody else's.
//
// To wake a thread costs more than a sync that costs nothing (memory, a controller with a battery). So while syncs are quick a thread is woken for
// kSyncGroup tasks, or when somebody waits. Once a sync was slow, one is woken as soon as more wait than a kQueuedShare-th of those under way: fewer
// are begun before long by threads that end a sync. With no threads every task runs in submit(), in order, which is what fault tests want.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace popsync::delivery {

constexpr std::size_t kSyncThreads = 64;                     // 10,000 syncs of 5 ms in 0.8 s: the disk is not what a first sync waits for
constexpr std::size_t kSyncThreadsInAll = 4 * kSyncThreads;  // over all disks; where none is left, who needs a sync waits for it itself
constexpr std::size_t kSyncGroup = 16;
constexpr std::size_t kQueuedShare = 4;                  // a task waits a quarter of a sync longer, if those under way began one by one
constexpr std::chrono::microseconds kSlowSync{200};      // several times what waking a thread costs
constexpr std::chrono::milliseconds kCallAgainAfter{2};  // a thread that was called may have taken a task of another session

class SyncPool;

// How many more threads the pools of a process may have.
class ThreadBudget {
 public:
  explicit ThreadBudget(std::size_t threads) : left_(threads) {}
  [[nodiscard]] bool take();
  void give_back(std::size_t threads) { left_ += threads; }

 private:
  std::atomic<std::size_t> left_;
};

// A task that was given to a pool, which must outlive it. Like a future: one thread.
class PendingSync {
 public:
  PendingSync() = default;
  PendingSync(SyncPool& pool, std::future<void> done) : pool_(&pool), done_(std::move(done)) {}

  [[nodiscard]] bool valid() const { return done_.valid(); }
  void wait() const;
  // Waits, and throws what the task threw.
  void get();

 private:
  SyncPool* pool_ = nullptr;
  std::future<void> done_;
};

class SyncPool {
 public:
  explicit SyncPool(std::size_t threads = kSyncThreads, std::shared_ptr<ThreadBudget> budget = std::make_shared<ThreadBudget>(kSyncThreads));
  SyncPool(const SyncPool&) = delete;
  SyncPool& operator=(const SyncPool&) = delete;
  // Runs what is queued, then ends the threads.
  ~SyncPool();

  // Begun at the latest when somebody waits for it. Threads are started when they are first needed.
  PendingSync submit(std::function<void()> task);
  // Somebody waits: begins the oldest task that is not begun yet. False if all are.
  bool begin_next();

 private:
  using Lock = std::unique_lock<std::mutex>;

  [[nodiscard]] bool wants_thread() const;
  void call_thread(Lock& lock);
  bool add_thread();
  void work();
  void run_next(Lock& lock);

  const std::size_t threads_max_;
  const std::shared_ptr<ThreadBudget> budget_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<std::packaged_task<void()>> queue_;
  std::size_t idle_ = 0;
  std::size_t under_way_ = 0;
  bool slow_ = false;  // the sync that ended last was
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

// The pools of a process. Thread-safe.
class SyncPools {
 public:
  // `threads`: of each pool.
  explicit SyncPools(std::size_t threads = kSyncThreads) : threads_(threads) {}
  // That of a disk, by its device number. Its threads end with the last session that holds it.
  std::shared_ptr<SyncPool> of(std::uint64_t device);

 private:
  const std::size_t threads_;
  const std::shared_ptr<ThreadBudget> budget_ = std::make_shared<ThreadBudget>(kSyncThreadsInAll);
  std::mutex mutex_;  // guards all below
  std::map<std::uint64_t, std::weak_ptr<SyncPool>> pools_;
};

}  // namespace popsync::delivery
