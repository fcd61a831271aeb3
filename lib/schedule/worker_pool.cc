// SPDX-License-Identifier: MIT
#include "schedule/worker_pool.h"

#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace popsync::schedule {

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  threads_.clear();
}

void WorkerPool::set_threads_max(std::size_t threads_max) {
  const std::lock_guard lock(mutex_);
  threads_max_ = threads_max;
}

void WorkerPool::start(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    ensure_thread();
  }
  changed_.notify_one();
}

// A thread counts as idle from its birth, so that one job does not call for a second thread while the first is still waking up.
void WorkerPool::ensure_thread() {
  if (idle_ >= jobs_.size() || threads_.size() >= threads_max_) return;
  try {
    threads_.emplace_back([this] { work(); });
    ++idle_;
  } catch (const std::system_error& error) {
    if (threads_.empty()) {
      jobs_.pop_back();
      throw Error(ErrorCode::io_error, std::string("cannot start a thread: ") + error.what(), "raise TasksMax= or the limit on processes");
    }
    if (!std::exchange(refusal_logged_, true)) {
      log_warning("", "cannot start another thread, going on with " + std::to_string(threads_.size()) + ": " + error.what());
    }
  }
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    --idle_;
    lock.unlock();
    job();
    lock.lock();
    ++idle_;
  }
}

}  // namespace popsync::schedule
