// SPDX-License-Identifier: MIT
#include "schedule/one_pass.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "schedule/scheduler.h"
#include "schedule/worker_pool.h"

namespace popsync::schedule {
namespace {

class Pass {
 public:
  Pass(const std::vector<PassAccount>& accounts, const PassOptions& options, std::function<void(const std::string&)> session)
      : options_(options),
        session_(std::move(session)),
        queue_(options.limits),
        gate_(options.disks),
        workers_(kWorkersPerSession * options.limits.sessions_max) {
    for (const PassAccount& account : accounts) {
      hosts_.emplace(account.name, account.host);
      queue_.put(account.name, account.host, SteadyTime());
    }
  }

  void run(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    std::optional<SteadyTime> deadline;
    std::unique_lock lock(mutex_);
    while (true) {
      const SteadyTime now = clock_.steady();
      for (const std::string& name : gate_.look(now, queue_, options_.limits.sessions_max)) queue_.put(name, hosts_.at(name), SteadyTime());
      if (stop.stop_requested() && !deadline) deadline = now + options_.stop_grace;
      if (!deadline && !failure_ && start_due()) continue;
      if (std::ranges::all_of(running_, [this](const std::string& name) { return gate_.hangs(name); }) || now >= deadline.value_or(now + kHangsAfter))
        return;
      changed_.wait_for(lock, std::min(deadline.value_or(now + kHangsAfter), gate_.next_look().value_or(now + kHangsAfter)) - now);
    }
  }

  // What became of them, when run() has ended.
  [[nodiscard]] PassEnd end(const std::vector<PassAccount>& accounts) {
    const std::lock_guard lock(mutex_);
    PassEnd end;
    end.threads_left = !running_.empty();
    for (const PassAccount& account : accounts) {
      if (const auto trouble = trouble_of(account.name)) {
        const auto ago = std::chrono::duration_cast<WallTime::duration>(clock_.steady() - trouble->since);
        end.hung.push_back({.account = account.name, .since = clock_.wall() - ago, .path = trouble->path});
      } else if (!started_.contains(account.name)) {
        end.left.push_back(account.name);
      }
    }
    return end;
  }

  [[nodiscard]] std::exception_ptr failure() {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  // Also what has hung for a shorter time, and did not end when it was told to.
  [[nodiscard]] std::optional<DiskTrouble> trouble_of(const std::string& account) const {
    auto trouble = gate_.trouble_of(account);
    if (trouble || !running_.contains(account)) return trouble;
    const DiskPlace place = options_.disks.waits_at(account);
    return DiskTrouble{.since = options_.disks.waits_since(account).value_or(clock_.steady()), .path = place.path, .disk = place.disk};
  }

  bool start_due() {
    bool started = false;
    while (const auto name = queue_.pop(SteadyTime())) {
      if (!gate_.admits(*name, options_.limits.sessions_max)) {
        queue_.finish(*name);
        continue;
      }
      running_.insert(*name);
      started_.insert(*name);
      gate_.begin(*name, clock_.steady());
      workers_.start([this, name = *name] { work(name); });
      started = true;
    }
    return started;
  }

  void work(const std::string& name) {
    std::exception_ptr failure;
    try {
      session_(name);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    queue_.finish(name);
    gate_.end(name);
    running_.erase(name);
    if (failure && !failure_) failure_ = failure;
    changed_.notify_all();
  }

  const PassOptions options_;
  const std::function<void(const std::string&)> session_;
  const Clock& clock_ = system_clock();
  std::mutex mutex_;  // guards all below but the workers
  std::condition_variable changed_;
  DueQueue queue_;
  DiskGate gate_;
  std::map<std::string, std::string> hosts_;
  std::set<std::string> running_;
  std::set<std::string> started_;
  std::exception_ptr failure_;
  WorkerPool workers_;  // last: its threads use all above
};

// Passes whose threads still run: they are never destroyed, and stay within reach of their threads.
void leave_behind(std::unique_ptr<Pass> pass) {
  static auto& left = *new std::vector<std::unique_ptr<Pass>>;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
  left.push_back(std::move(pass));
}

}  // namespace

PassEnd run_one_pass(const std::vector<PassAccount>& accounts, const PassOptions& options, std::function<void(const std::string& account)> session,
                     const std::stop_token& stop) {
  auto pass = std::make_unique<Pass>(accounts, options, std::move(session));
  pass->run(stop);
  PassEnd end = pass->end(accounts);
  if (end.threads_left) {
    leave_behind(std::move(pass));
  } else if (const auto failure = pass->failure()) {
    std::rethrow_exception(failure);
  }
  return end;
}

}  // namespace popsync::schedule
