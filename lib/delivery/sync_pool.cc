// SPDX-License-Identifier: MIT
#include "delivery/sync_pool.h"

#include <system_error>
#include <utility>

namespace popsync::delivery {

SyncPool::SyncPool(std::size_t threads) : threads_max_(threads) {}

SyncPool::~SyncPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  threads_.clear();
}

std::future<void> SyncPool::submit(std::function<void()> task) {
  std::packaged_task<void()> packaged(std::move(task));
  std::future<void> done = packaged.get_future();
  if (threads_max_ == 0) {
    packaged();
    return done;
  }
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(packaged));
    if (idle_ < queue_.size() && threads_.size() < threads_max_ && !add_thread() && threads_.empty()) {
      packaged = std::move(queue_.back());  // nobody else will: run it here
      queue_.pop_back();
      packaged();
      return done;
    }
  }
  changed_.notify_one();
  return done;
}

// False if the system has no thread left for us.
bool SyncPool::add_thread() {
  try {
    threads_.emplace_back([this] { work(); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void SyncPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    std::packaged_task<void()> task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace popsync::delivery
