// SPDX-License-Identifier: MIT
#include "delivery/sync_pool.h"

#include <system_error>

namespace popsync::delivery {

void PendingSync::wait() const {
  for (auto patience = kCallAgainAfter * 0; done_.wait_for(patience) != std::future_status::ready; patience = kCallAgainAfter) {
    if (!pool_->begin_next()) return done_.wait();
  }
}

void PendingSync::get() {
  wait();
  done_.get();
}

bool ThreadBudget::take() {
  std::size_t left = left_;
  while (left > 0) {
    if (left_.compare_exchange_weak(left, left - 1)) return true;
  }
  return false;
}

SyncPool::SyncPool(std::size_t threads, std::shared_ptr<ThreadBudget> budget) : threads_max_(threads), budget_(std::move(budget)) {}

SyncPool::~SyncPool() {
  {
    const Lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  const std::size_t threads = threads_.size();
  threads_.clear();
  budget_->give_back(threads);
  Lock lock(mutex_);
  while (!queue_.empty()) run_next(lock);  // no thread was called for them yet
}

PendingSync SyncPool::submit(std::function<void()> task) {
  std::packaged_task<void()> packaged(std::move(task));
  PendingSync pending(*this, packaged.get_future());
  Lock lock(mutex_);
  queue_.push_back(std::move(packaged));
  if (threads_max_ == 0) {
    run_next(lock);
  } else if (wants_thread()) {
    call_thread(lock);
  }
  return pending;
}

bool SyncPool::begin_next() {
  Lock lock(mutex_);
  if (queue_.empty()) return false;
  call_thread(lock);
  return true;
}

bool SyncPool::wants_thread() const { return slow_ ? queue_.size() * kQueuedShare > under_way_ : queue_.size() >= kSyncGroup; }

// Gives the lock back first: a thread that wakes needs it.
void SyncPool::call_thread(Lock& lock) {
  if (idle_ > 0) {
    lock.unlock();
    changed_.notify_one();
  } else if ((threads_.size() == threads_max_ || !add_thread()) && threads_.empty()) {
    run_next(lock);  // nobody else will
  }
}

// False if the system has no thread left for us, or we have none for this disk.
bool SyncPool::add_thread() {
  if (!budget_->take()) return false;
  try {
    threads_.emplace_back([this] { work(); });
    return true;
  } catch (const std::system_error&) {
    budget_->give_back(1);
    return false;
  }
}

void SyncPool::work() {
  Lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    run_next(lock);
  }
}

void SyncPool::run_next(Lock& lock) {
  std::packaged_task<void()> task = std::move(queue_.front());
  queue_.pop_front();
  ++under_way_;
  if (slow_ && wants_thread() && !ending_) call_thread(lock);  // the next is to run beside this one
  if (lock.owns_lock()) lock.unlock();
  const auto start = std::chrono::steady_clock::now();
  task();
  const bool slow = std::chrono::steady_clock::now() - start > kSlowSync;
  lock.lock();
  --under_way_;
  slow_ = slow;
}

std::shared_ptr<SyncPool> SyncPools::of(std::uint64_t device) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<SyncPool>& known = pools_[device];
  auto pool = known.lock();
  if (pool) return pool;
  pool = std::make_shared<SyncPool>(threads_, budget_);
  known = pool;
  return pool;
}

}  // namespace popsync::delivery
