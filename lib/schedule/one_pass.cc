// SPDX-License-Identifier: MIT
#include "schedule/one_pass.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace popsync::schedule {
namespace {

class Pass {
 public:
  Pass(const std::vector<PassAccount>& accounts, Limits limits, const std::function<void(const std::string&)>& session, std::stop_token stop)
      : session_(session), stop_(std::move(stop)), queue_(limits) {
    for (const PassAccount& account : accounts) queue_.put(account.name, account.host, SteadyTime());
  }

  // One thread's part of the pass: returns when there is nothing left that could be started.
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return over() || queue_.next_due().has_value(); });
      if (over()) return;
      const std::string account = queue_.pop(SteadyTime()).value();
      lock.unlock();
      std::exception_ptr failure;
      try {
        session_(account);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      queue_.finish(account);
      if (failure && !failure_) failure_ = failure;
      changed_.notify_all();
    }
  }

  [[nodiscard]] bool started(const std::string& account) const { return !queue_.due_of(account); }
  [[nodiscard]] const std::exception_ptr& failure() const { return failure_; }

 private:
  // A stop needs no wake-up: who waits here waits for a session under way to end, and the stop ends that.
  [[nodiscard]] bool over() const { return queue_.waiting() == 0 || stop_.stop_requested() || failure_; }

  const std::function<void(const std::string&)>& session_;
  std::stop_token stop_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  DueQueue queue_;
  std::exception_ptr failure_;
};

}  // namespace

std::vector<std::string> run_one_pass(const std::vector<PassAccount>& accounts, Limits limits,
                                      const std::function<void(const std::string& account)>& session, const std::stop_token& stop) {
  Pass pass(accounts, limits, session, stop);
  {
    std::vector<std::jthread> threads;
    const std::size_t count = std::min(limits.sessions_max, accounts.size());
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&pass] { pass.work(); });
  }
  if (pass.failure()) std::rethrow_exception(pass.failure());
  std::vector<std::string> left;
  for (const PassAccount& account : accounts) {
    if (!pass.started(account.name)) left.push_back(account.name);
  }
  return left;
}

}  // namespace popsync::schedule
