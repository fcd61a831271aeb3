// SPDX-License-Identifier: MIT
// Threads that do nothing but wait for the disk: the syncs of one batch of files run side by side, because a disk that needs 5 ms for one sync needs
// little more for thirty at once. Shared by all accounts. With no threads every task runs in submit(), in order, which is what fault tests want.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

namespace popsync::delivery {

constexpr std::size_t kSyncThreads = 48;

class SyncPool {
 public:
  explicit SyncPool(std::size_t threads = kSyncThreads);
  SyncPool(const SyncPool&) = delete;
  SyncPool& operator=(const SyncPool&) = delete;
  // Runs what is queued, then ends the threads.
  ~SyncPool();

  // The future holds what the task threw. Threads are started when they are first needed.
  std::future<void> submit(std::function<void()> task);

 private:
  bool add_thread();
  void work();

  const std::size_t threads_max_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<std::packaged_task<void()>> queue_;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace popsync::delivery
