// SPDX-License-Identifier: MIT
#include "schedule/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <latch>
#include <stdexcept>

namespace popsync::schedule {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

// A machine that can sleep: wall time goes on, steady time does not.
class SleepyClock : public ManualClock {
 public:
  [[nodiscard]] WallTime wall() const override { return ManualClock::wall() + slept_.load(); }
  void suspend(std::chrono::seconds time) { slept_ = slept_.load() + time; }

 private:
  std::atomic<std::chrono::seconds> slept_{};
};

// A scheduler whose sessions end when the test says so. Waits have no limit of their own: a test that hangs is ended by ctest.
class SchedulerTest : public testing::Test {
 protected:
  ~SchedulerTest() override {
    {
      // What a test left running would hold up the stop.
      const std::lock_guard lock(mutex_);
      let_all_go_ = true;
      changed_.notify_all();
    }
    stop();
  }

  void start(const std::vector<Account>& accounts, Limits limits = {}, Heartbeat heartbeat = {}) {
    scheduler_.emplace(
        clock_, SchedulerOptions{.limits = limits, .random = [] { return 0.5; }, .first = first_, .disks = disks_, .on_unanswered = on_unanswered_},
        [this](const std::string& name, std::stop_token token) { return session(name, token); },
        [this](const std::vector<Planned>& plans) { note(plans); });
    scheduler_->replace_accounts(accounts);
    thread_ = std::jthread([this, heartbeat](const std::stop_token& token) { ended_ = scheduler_->run(token, heartbeat); });
  }

  // Ends run() and returns what it did.
  Ended stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    return ended_;
  }

  static Account account(const std::string& name, const std::string& host = "") { return {.name = name, .host = host.empty() ? name : host}; }

  void await_sessions(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_.size() >= count; });
  }
  std::vector<std::string> started() {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  std::size_t most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }
  void end(const std::string& name, const Result& result = {}) {
    const std::lock_guard lock(mutex_);
    results_.insert_or_assign(name, result);
    changed_.notify_all();
  }
  // The next plan for the account that was not looked at yet. One for this moment does not count: its session is about to start.
  Planned plan_of(const std::string& name) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return plans_.contains(name) && plans_.at(name).next_sync != clock_.wall(); });
    return plans_.extract(name).mapped();
  }
  bool has_plan(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return plans_.contains(name);
  }
  std::size_t reports() {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  void await_reports(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reports_ >= count; });
  }
  // One session, from its start to its plan.
  Planned run_once(const std::string& name, const Result& result) {
    end(name, result);
    return plan_of(name);
  }
  void advance(std::chrono::milliseconds time) {
    clock_.advance(time);
    scheduler_->look_again();
  }

  SleepyClock clock_;
  std::atomic<bool> deaf_ = false;  // sessions ignore their stop token
  FirstStep first_;
  DiskWatch disks_;
  std::function<void(const std::vector<Unanswered>&)> on_unanswered_;

  std::mutex mutex_;  // guards what sessions and plans write, below
  std::condition_variable_any changed_;
  int seen_ = 0;

 private:
  Result session(const std::string& name, const std::stop_token& token) {
    std::unique_lock lock(mutex_);
    started_.push_back(name);
    plans_.erase(name);  // that was the plan for this session
    EXPECT_TRUE(running_.insert(name).second) << "two sessions on " << name;
    most_at_once_ = std::max(most_at_once_, running_.size());
    changed_.notify_all();
    const auto ended = [&] { return let_all_go_ || results_.contains(name); };
    const bool told = deaf_ ? (changed_.wait(lock, ended), true) : changed_.wait(lock, token, ended);
    running_.erase(name);
    if (!told || !results_.contains(name)) return {.error = ErrorCode::interrupted};
    return results_.extract(name).mapped();
  }

  void note(const std::vector<Planned>& plans) {
    const std::lock_guard lock(mutex_);
    for (const Planned& plan : plans) plans_.insert_or_assign(plan.account, plan);
    ++reports_;
    changed_.notify_all();
  }

  std::vector<std::string> started_;
  std::set<std::string> running_;
  std::size_t most_at_once_ = 0;
  std::map<std::string, Result> results_;
  std::map<std::string, Planned> plans_;
  std::size_t reports_ = 0;
  bool let_all_go_ = false;
  std::atomic<Ended> ended_ = Ended::not_in_time;

 protected:
  std::optional<Scheduler> scheduler_;  // its sessions use all above

 private:
  std::jthread thread_;
};

TEST_F(SchedulerTest, HealthyAccountComesAgainAfterItsInterval) {
  start({account("work")});
  const Planned plan = run_once("work", {});
  EXPECT_EQ(plan.next_sync, clock_.wall() + 5min);
  EXPECT_EQ(plan.consecutive_failures, 0U);
  EXPECT_FALSE(plan.needs_operator);
  advance(5min);
  await_sessions(2);
  EXPECT_THAT(started(), ElementsAre("work", "work"));
}

TEST_F(SchedulerTest, FewAccountsStartAtOnceTheOthersOneAfterTheOther) {
  std::vector<Account> accounts;
  for (char c = 'a'; c <= 'l'; ++c) accounts.push_back(account(std::string(1, c)));
  start(accounts);
  await_sessions(8);
  EXPECT_THAT(started(), UnorderedElementsAre("a", "b", "c", "d", "e", "f", "g", "h"));
  for (const char* next : {"i", "j", "k", "l"}) {
    const std::size_t before = started().size();
    advance(100ms);
    await_sessions(before + 1);
    EXPECT_EQ(started().back(), next);
  }
}

TEST_F(SchedulerTest, ReportsOnceMoreWhereThatIsAskedFor) {
  start({account("work")});
  run_once("work", {});
  const std::size_t before = reports();
  const SteadyTime now = clock_.steady();
  scheduler_->report_again(now + 5s);
  scheduler_->report_again(now + 9s);  // the earlier one counts, for both
  advance(5s);
  await_reports(before + 1);
  advance(5min);
  await_sessions(2);
  EXPECT_EQ(reports(), before + 1);
}

TEST_F(SchedulerTest, ManyAccountsAreSpreadOverTheirInterval) {
  std::vector<Account> accounts;
  for (int i = 1000; i < 2000; ++i) {
    accounts.push_back({.name = std::to_string(i), .host = std::to_string(i), .interval = 10s});
    end(accounts.back().name, {.error = ErrorCode::configuration});  // not again so soon
  }
  start(accounts);
  await_sessions(8);
  advance(5s);
  await_sessions(8 + 500);
  EXPECT_EQ(started().size(), 8U + 500U) << "half of the interval, half of them";
  advance(5s);
  await_sessions(1000);
}

TEST_F(SchedulerTest, TenThousandAccountsOfOneHostAllHaveTheirSession) {
  std::vector<Account> accounts;
  for (int i = 0; i < 10'000; ++i) {
    accounts.push_back(account("account" + std::to_string(i), "busy"));
    end(accounts.back().name);
  }
  start(accounts);
  advance(5min);
  await_sessions(10'000);
  EXPECT_LE(most_at_once(), 4U);
}

TEST_F(SchedulerTest, HostAtItsLimitWaitsForASessionToEnd) {
  start({account("a", "host"), account("b", "host"), account("c", "host")}, {.sessions_max = 10, .sessions_per_host_max = 2});
  await_sessions(2);
  end("a");
  await_sessions(3);
  EXPECT_EQ(most_at_once(), 2U);
}

TEST_F(SchedulerTest, FailuresAreReportedWithTheirBackoff) {
  start({account("work")});
  Planned plan = run_once("work", {.error = ErrorCode::network});
  EXPECT_EQ(plan.consecutive_failures, 1U);
  EXPECT_FALSE(plan.needs_operator);
  EXPECT_EQ(plan.next_sync, clock_.wall() + 27s);
  advance(27s);
  plan = run_once("work", {.error = ErrorCode::network});
  EXPECT_EQ(plan.consecutive_failures, 2U);
  EXPECT_EQ(plan.next_sync, clock_.wall() + 54s);
}

TEST_F(SchedulerTest, SessionThatThrowsCountsAsItsError) {
  Scheduler scheduler(
      clock_, {.random = [] { return 0.5; }},
      [](const std::string& name, const std::stop_token&) -> Result {
        if (name == "stray") throw std::runtime_error("nobody expected this");
        throw Error(ErrorCode::in_use, "the maildrop is locked");
      },
      [&](const std::vector<Planned>& plans) {
        const std::lock_guard lock(mutex_);
        for (const Planned& plan : plans) {
          if (plan.consecutive_failures == 0) continue;
          EXPECT_EQ(plan.needs_operator, plan.account == "stray");
          EXPECT_EQ(plan.next_sync, clock_.wall() + (plan.account == "stray" ? 9min : 54s));
          ++seen_;
        }
        changed_.notify_all();
      });
  scheduler.replace_accounts({account("known"), account("stray")});
  std::jthread thread([&](const std::stop_token& token) { EXPECT_EQ(scheduler.run(token), Ended::all); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return seen_ == 2; });
}

TEST_F(SchedulerTest, SecretRefusedThreeTimesIsNotTriedUntilTheAccountIsNamed) {
  start({account("work"), account("other")});
  for (int i = 0; i < 3; ++i) {
    await_sessions(static_cast<std::size_t>(i) + 2);
    const Planned plan = run_once("work", {.error = ErrorCode::login_refused});
    EXPECT_EQ(plan.needs_operator, i == 2);
    EXPECT_EQ(plan.next_sync.has_value(), i < 2);
    if (i < 2) advance(2min);
  }
  end("other");
  plan_of("other");
  scheduler_->sync_now();
  await_sessions(5);
  EXPECT_EQ(started().back(), "other") << "a sync of all accounts must not try a refused secret again";
  end("other");
  plan_of("other");
  scheduler_->sync_now({"work", "unknown"});
  await_sessions(6);
  EXPECT_EQ(started().back(), "work");
  EXPECT_FALSE(run_once("work", {}).needs_operator);
}

TEST_F(SchedulerTest, AccountLeftToItsOperatorWaitsAlsoAtTheStart) {
  Account stopped = account("stopped");
  stopped.standing = {.needs_operator = true, .failures = 3, .last_error = ErrorCode::login_refused};
  Account later = account("later");
  later.standing = {.needs_operator = true, .failures = 1, .last_error = ErrorCode::certificate, .next_sync = clock_.wall() + 20min};
  start({stopped, later, account("well")});
  await_sessions(1);
  EXPECT_EQ(plan_of("stopped").next_sync, std::nullopt);
  EXPECT_EQ(plan_of("later").next_sync, clock_.wall() + 20min);
  EXPECT_THAT(started(), ElementsAre("well"));
  advance(20min);
  await_sessions(2);
  EXPECT_THAT(started(), ElementsAre("well", "later"));
  scheduler_->replace_accounts({stopped, later, account("well")});
  await_sessions(3);
  EXPECT_THAT(started(), ElementsAre("well", "later", "stopped"));
}

TEST_F(SchedulerTest, AccountThatWaitsIsRecoveredAtTheStartAndNoOther) {
  std::vector<std::string> recovered;
  first_.recover = [&](const std::string& name, const std::stop_token&) {
    const std::lock_guard lock(mutex_);
    recovered.push_back(name);
  };
  first_.look_up = [this](const Account& account) {
    Account known = account;
    if (account.name == "stopped") known.standing = {.needs_operator = true, .failures = 3, .last_error = ErrorCode::login_refused};
    if (account.name == "delayed") {
      known.login_delay = 100s;
      known.last_login = clock_.wall();
    }
    if (account.name == "lost") throw Error(ErrorCode::io_error, "the state cannot be read");
    return known;
  };
  start({account("stopped"), account("delayed"), account("well"), account("lost")});
  EXPECT_EQ(plan_of("stopped").next_sync, std::nullopt);
  EXPECT_EQ(plan_of("delayed").next_sync, clock_.wall() + 100s);
  await_sessions(2);
  EXPECT_THAT(started(), UnorderedElementsAre("well", "lost"));
  const std::lock_guard lock(mutex_);
  EXPECT_THAT(recovered, UnorderedElementsAre("stopped", "delayed"));
}

TEST_F(SchedulerTest, AccountNamedBeforeItsFirstStepIsTried) {
  std::latch named(1);
  first_.look_up = [&](const Account& account) {
    named.wait();
    Account known = account;
    known.standing = {.needs_operator = true, .failures = 3, .last_error = ErrorCode::login_refused};
    return known;
  };
  start({account("stopped")});
  scheduler_->sync_now({"stopped"});
  named.count_down();
  await_sessions(1);
}

TEST_F(SchedulerTest, SessionsThatHangInAFileSystemHoldUpNobodyElseAndNoStop) {
  std::map<std::string, WallTime> told;
  on_unanswered_ = [&](const std::vector<Unanswered>& changes) {
    const std::lock_guard lock(mutex_);
    for (const Unanswered& change : changes)
      change.since ? (void)told.insert_or_assign(change.account, *change.since) : (void)told.erase(change.account);
    changed_.notify_all();
  };
  const SteadyTime begun = clock_.steady();
  const WallTime begun_wall = clock_.wall();
  std::atomic<bool> answers = false;
  disks_ = {.waits_since = [&](const std::string& name) { return name[0] == 'd' && !answers ? std::optional(begun) : std::nullopt; },
            .waits_at = [](const std::string&) { return DiskPlace{.disk = "dead", .path = "/dead"}; },
            .home_of = [](const std::string& name) { return DiskPlace{.disk = name[0] == 'd' ? "dead" : "well", .path = "/" + name, .sure = true}; }};
  deaf_ = true;
  start({account("d1", "host"), account("d2", "host"), account("d3", "host"), account("elsewhere", "host")},
        {.sessions_max = 2, .sessions_per_host_max = 2});
  await_sessions(2);
  advance(30s);
  await_sessions(3);
  EXPECT_EQ(started().back(), "elsewhere") << "d3 lies on the disk that does not answer";
  run_once("elsewhere", {});
  advance(5min);
  await_sessions(4);
  EXPECT_EQ(started().back(), "elsewhere") << "it keeps its interval";
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told.size() == 3; });
    EXPECT_EQ(told["d3"], begun_wall);
  }
  answers = true;
  scheduler_->look_again();
  for (const char* ends : {"d1", "d2", "elsewhere"}) end(ends);
  await_sessions(5);
  EXPECT_EQ(started().back(), "d3") << "the disk answers again";
  answers = false;
  EXPECT_EQ(stop(), Ended::all_but_hung);
}

TEST_F(SchedulerTest, SyncNowIgnoresTheIntervalButNotLoginDelay) {
  start({account("free"), account("delayed")});
  run_once("free", {});
  run_once("delayed", {.login_delay = 100s});
  scheduler_->sync_now();
  await_sessions(3);
  EXPECT_EQ(started().back(), "free");
  EXPECT_EQ(plan_of("delayed").next_sync, clock_.wall() + 100s);
  scheduler_->sync_now({"delayed"});
  EXPECT_EQ(plan_of("delayed").next_sync, clock_.wall() + 100s);
  advance(100s);
  await_sessions(4);
  EXPECT_EQ(started().back(), "delayed");
}

TEST_F(SchedulerTest, NamedAccountThatRunsRunsAgainAfterwards) {
  start({account("work")});
  await_sessions(1);
  scheduler_->sync_now({"work"});
  end("work");
  await_sessions(2);
  EXPECT_EQ(run_once("work", {}).next_sync, clock_.wall() + 5min) << "once, not for ever";
}

TEST_F(SchedulerTest, LockHeldByAnotherPopsyncIsRescheduledWithoutAlarm) {
  start({account("work")});
  const Planned plan = run_once("work", {.error = ErrorCode::lock_held});
  EXPECT_EQ(plan.next_sync, clock_.wall() + 27s);
  EXPECT_EQ(plan.consecutive_failures, 0U);
  EXPECT_FALSE(plan.needs_operator);
}

TEST_F(SchedulerTest, SessionOfAnotherPopsyncRevivesARefusedAccount) {
  start({account("work")});
  for (int i = 0; i < 3; ++i) {
    run_once("work", {.error = ErrorCode::login_refused});
    if (i < 2) advance(2min);
    if (i < 2) await_sessions(static_cast<std::size_t>(i) + 2);
  }
  scheduler_->record_elsewhere("unknown", {});
  scheduler_->record_elsewhere("work", {.secret_worked = true});
  const Planned plan = plan_of("work");
  EXPECT_FALSE(plan.needs_operator);
  EXPECT_EQ(plan.next_sync, clock_.wall() + 5min);
}

TEST_F(SchedulerTest, ReloadStopsTheSessionOfAnAccountThatIsGone) {
  start({account("gone"), account("stays")});
  await_sessions(2);
  scheduler_->replace_accounts({account("stays")});
  run_once("stays", {});
  advance(5min);
  await_sessions(3);
  EXPECT_EQ(started().back(), "stays");
  EXPECT_EQ(stop(), Ended::all);
  EXPECT_FALSE(has_plan("gone"));
}

TEST_F(SchedulerTest, ReloadDropsAWaitingAccountThatIsGone) {
  start({account("gone"), account("stays")});
  run_once("gone", {});
  run_once("stays", {});
  scheduler_->replace_accounts({account("stays")});
  advance(5min);
  await_sessions(3);
  EXPECT_EQ(stop(), Ended::all);
  EXPECT_EQ(started().size(), 3U);
}

TEST_F(SchedulerTest, ReloadEndsTheSessionOfAChangedAccountAndStartsAnother) {
  start({account("work")});
  await_sessions(1);
  Account changed = account("work");
  changed.revision = "leaves mail on the server";
  scheduler_->replace_accounts({changed});
  await_sessions(2);
  const Planned plan = run_once("work", {});
  EXPECT_EQ(plan.next_sync, clock_.wall() + 5min);
  EXPECT_EQ(plan.consecutive_failures, 0U);
}

TEST_F(SchedulerTest, AccountThatIsGoneAndComesBackWhileItsSessionEndsRunsAgain) {
  deaf_ = true;
  start({account("work")});
  await_sessions(1);
  scheduler_->replace_accounts({});
  scheduler_->replace_accounts({account("work")});
  end("work", {.error = ErrorCode::interrupted});
  await_sessions(2);
  EXPECT_EQ(run_once("work", {}).consecutive_failures, 0U);
}

TEST_F(SchedulerTest, ReloadLeavesHealthyAccountsAloneAndTriesFailingOnesNow) {
  start({account("healthy"), account("failing"), account("new1")});
  run_once("healthy", {});
  run_once("failing", {.error = ErrorCode::certificate});
  await_sessions(3);  // an account whose session has no thread yet would be taken away before it is counted
  scheduler_->replace_accounts({account("healthy"), account("failing"), account("new2")});
  await_sessions(5);
  const auto names = started();
  EXPECT_THAT(std::vector<std::string>(names.begin() + 3, names.end()), UnorderedElementsAre("failing", "new2"));
  EXPECT_FALSE(has_plan("healthy"));
}

TEST_F(SchedulerTest, HealthyAccountSurvivesAReloadInTheMiddleOfItsSession) {
  start({account("work")});
  await_sessions(1);
  scheduler_->replace_accounts({account("work")});
  EXPECT_EQ(run_once("work", {}).next_sync, clock_.wall() + 5min) << "neither stopped nor run twice";
}

TEST_F(SchedulerTest, AccountsOverdueAfterSleepStartSpread) {
  std::vector<Account> accounts;
  for (char c = 'a'; c <= 'j'; ++c) accounts.push_back(account(std::string(1, c)));
  accounts.push_back({.name = "slow", .host = "slow", .interval = 24h});
  start(accounts);
  advance(1s);
  await_sessions(11);
  for (const Account& each : accounts) run_once(each.name, {});
  clock_.suspend(8h);
  scheduler_->look_again();
  await_sessions(11 + 8);
  EXPECT_EQ(plan_of("j").next_sync, clock_.wall() + 200ms);
  EXPECT_EQ(plan_of("slow").next_sync, clock_.wall() + 16h);
}

TEST_F(SchedulerTest, StopEndsSessionsAndPlansNothingForThem) {
  start({account("a"), account("b", "host"), account("c", "host")}, {.sessions_max = 3, .sessions_per_host_max = 1});
  await_sessions(2);
  EXPECT_EQ(stop(), Ended::all);
  EXPECT_EQ(started().size(), 2U) << "no session may start after the stop";
  EXPECT_FALSE(has_plan("a"));
}

TEST_F(SchedulerTest, WhatASessionReachedDuringTheStopIsStillReported) {
  deaf_ = true;
  start({account("work")});
  await_sessions(1);
  std::jthread stopping([this] { EXPECT_EQ(stop(), Ended::all); });
  end("work");
  EXPECT_EQ(plan_of("work").next_sync, clock_.wall() + 5min);
}

TEST_F(SchedulerTest, SessionThatDoesNotEndIsGivenUpAfterTheGrace) {
  deaf_ = true;
  std::stop_source stop_source;
  std::size_t beats = 0;
  Scheduler scheduler(
      clock_, {.stop_grace = 20s},
      [this, &stop_source](const std::string&, const std::stop_token&) -> Result {
        stop_source.request_stop();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return seen_ > 0; });
        return {};
      },
      nullptr);
  scheduler.replace_accounts({account("hangs")});
  // Each beat lets ten seconds pass: the heart must go on beating while the scheduler waits for the session.
  const Heartbeat heartbeat{.every = 10s, .beat = [&] {
                              ++beats;
                              clock_.advance(10s);
                              scheduler.look_again();
                            }};
  EXPECT_EQ(scheduler.run(stop_source.get_token(), heartbeat), Ended::not_in_time);
  EXPECT_GE(beats, 2U);
  const std::lock_guard lock(mutex_);
  seen_ = 1;
  changed_.notify_all();
}

TEST_F(SchedulerTest, HeartBeatsWhileNothingIsDue) {
  std::atomic<int> beats = 0;
  start({}, {}, {.every = 30s, .beat = [&] {
                   const std::lock_guard lock(mutex_);
                   ++beats;
                   changed_.notify_all();
                 }});
  for (int expected = 1; expected <= 3; ++expected) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return beats >= expected; });
    lock.unlock();
    advance(30s);
  }
  EXPECT_EQ(stop(), Ended::all);
}

TEST_F(SchedulerTest, RaisedLimitsHoldAtOnce) {
  start({account("a", "host"), account("b", "host")}, {.sessions_max = 1, .sessions_per_host_max = 1});
  await_sessions(1);
  scheduler_->set_limits({.sessions_max = 2, .sessions_per_host_max = 2});
  await_sessions(2);
  EXPECT_EQ(most_at_once(), 2U);
}

}  // namespace
}  // namespace popsync::schedule
