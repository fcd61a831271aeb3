// SPDX-License-Identifier: MIT
// Threads that each run one job to its end; made when they are needed and kept, so that a daemon with three accounts has three of them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace popsync::schedule {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads_max) : threads_max_(threads_max) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  // Waits for the jobs, also those not begun.
  ~WorkerPool();

  // From now on; threads that exist stay.
  void set_threads_max(std::size_t threads_max);
  // Runs `job`, which must not throw, on an idle thread, a new one, or the first that gets idle. If the kernel refuses a new thread it goes on with
  // those it has (logged once); without any it throws Error io_error. Thread-safe.
  void start(std::function<void()> job);

 private:
  void ensure_thread();
  void work();

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  // not begun
  std::size_t threads_max_;
  std::size_t idle_ = 0;
  bool closing_ = false;
  bool refusal_logged_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace popsync::schedule
