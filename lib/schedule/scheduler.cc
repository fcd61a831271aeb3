// SPDX-License-Identifier: MIT
#include "schedule/scheduler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/random.h"

namespace popsync::schedule {
namespace {

bool same_configuration(const Account& left, const Account& right) {
  return left.host == right.host && left.interval == right.interval && left.revision == right.revision;
}

Result outcome_of(const Scheduler::Session& session, const std::string& account, std::stop_token stop) {
  if (stop.stop_requested()) return {.error = ErrorCode::interrupted};
  try {
    return session(account, std::move(stop));
  } catch (const Error& error) {
    return {.error = error.code()};
  } catch (const std::exception& error) {
    log_error(account, "this is a bug, please report it: " + escaped(error.what()));
    return {.error = ErrorCode::bug};
  }
}

}  // namespace

double random_fraction() { return std::ldexp(static_cast<double>(random_u64() >> 11U), -53); }

Scheduler::Scheduler(const Clock& clock, SchedulerOptions options, Session session, OnPlanned on_planned)
    : clock_(clock),
      options_(std::move(options)),
      session_(std::move(session)),
      on_planned_(std::move(on_planned)),
      queue_(options_.limits),
      wall_seen_(clock.wall()),
      steady_seen_(clock.steady()),
      workers_(options_.limits.sessions_max) {}

Scheduler::~Scheduler() { close(); }

bool Scheduler::run(const std::stop_token& stop, const Heartbeat& heartbeat) {
  const std::stop_callback wake_on_stop(stop, [this] { alarm_.wake(); });
  SteadyTime next_beat = clock_.steady();
  const auto wait_until = [&](std::optional<SteadyTime> due) {
    const SteadyTime now = clock_.steady();
    if (heartbeat.every > std::chrono::nanoseconds(0)) {
      if (now >= next_beat) {
        heartbeat.beat();
        next_beat = now + heartbeat.every;
      }
      due = due ? std::min(*due, next_beat) : next_beat;
    }
    alarm_.wait(due ? std::optional(*due - now) : std::nullopt);
  };
  while (!stop.stop_requested()) {
    {
      const std::lock_guard lock(mutex_);
      const SteadyTime now = clock_.steady();
      notice_sleep(now);
      start_due(now);
    }
    report_plans();
    wait_until(next_turn());
  }
  return drain(wait_until);
}

void Scheduler::replace_accounts(const std::vector<Account>& accounts) {
  std::vector<std::stop_source> ended;
  {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.steady();
    std::set<std::string> names;
    std::vector<std::string> due;
    for (const Account& account : accounts) {
      if (!names.insert(account.name).second) continue;
      switch (take_over(account, now)) {
        case Takeover::keep: break;
        case Takeover::start: due.push_back(account.name); break;
        case Takeover::end: ended.push_back(entries_.at(account.name).stop); break;
      }
    }
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (names.contains(entry->first)) {
        ++entry;
      } else if (entry->second.running) {
        entry->second.removed = true;
        ended.push_back(entry->second.stop);
        ++entry;
      } else {
        queue_.remove(entry->first);
        entry = entries_.erase(entry);
      }
    }
    spread(due, now);
  }
  // Outside the lock: a stop callback runs here and now, and what it does is the session's business.
  for (std::stop_source& session : ended) session.request_stop();
  alarm_.wake();
}

void Scheduler::set_limits(Limits limits) {
  const std::lock_guard lock(mutex_);
  queue_.set_limits(limits);
  workers_.set_threads_max(limits.sessions_max);
  alarm_.wake();
}

void Scheduler::sync_now() {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  for (auto& [name, entry] : entries_) {
    if (entry.plan.needs_operator()) continue;
    if (entry.running) {
      entry.again = true;  // its session may have looked at the maildrop already
    } else {
      plan(name, entry, entry.plan.allowed(now));
    }
  }
  alarm_.wake();
}

void Scheduler::sync_now(const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  for (const std::string& name : names) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) continue;
    Entry& entry = found->second;
    entry.plan.forgive();
    if (entry.running) {
      entry.again = true;
    } else {
      plan(name, entry, entry.plan.allowed(now));
    }
  }
  alarm_.wake();
}

void Scheduler::record_elsewhere(const std::string& account, const Result& result) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(account);
  if (found == entries_.end() || found->second.running) return;
  Entry& entry = found->second;
  plan(account, entry, entry.plan.record(result, entry.account.interval, clock_.steady(), options_.random()));
  alarm_.wake();
}

void Scheduler::report_again(SteadyTime at) {
  const std::lock_guard lock(mutex_);
  report_again_ = report_again_ ? std::min(*report_again_, at) : at;
  alarm_.wake();
}

void Scheduler::look_again() { alarm_.wake(); }

Scheduler::Takeover Scheduler::take_over(const Account& account, SteadyTime now) {
  const auto [at, is_new] = entries_.try_emplace(account.name, Entry{.account = account, .plan = AccountPlan(account, clock_.wall(), now)});
  if (is_new && !left_to_operator(account.standing, clock_.wall())) return Takeover::start;
  Entry& entry = at->second;
  if (is_new) {
    std::optional<SteadyTime> due;
    if (const auto next = account.standing.next_sync)
      due = entry.plan.allowed(now + std::chrono::duration_cast<SteadyTime::duration>(*next - clock_.wall()));
    plan(account.name, entry, due);
    return Takeover::keep;
  }
  const bool changed = entry.removed || !same_configuration(entry.account, account);
  const bool failing = entry.plan.failures() > 0 || entry.plan.needs_operator();
  entry.account = account;
  entry.removed = false;
  if (!changed && !failing) return Takeover::keep;
  entry.plan.forgive();
  if (!entry.running) return Takeover::start;
  if (!changed) return Takeover::keep;  // it is being tried already
  entry.again = true;
  return Takeover::end;
}

void Scheduler::spread(const std::vector<std::string>& names, SteadyTime now) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    Entry& entry = entries_.at(names[i]);
    std::chrono::milliseconds later{};
    if (i >= kSpreadAtOnce) {
      const auto place = static_cast<std::chrono::milliseconds::rep>(i + 1 - kSpreadAtOnce);
      const auto count = static_cast<std::chrono::milliseconds::rep>(names.size());
      later = std::min(kSpreadDistance * place, std::chrono::milliseconds(entry.account.interval) * place / count);
    }
    plan(names[i], entry, entry.plan.allowed(now + later));
  }
}

void Scheduler::plan(const std::string& name, Entry& entry, std::optional<SteadyTime> due) {
  if (due) {
    queue_.put(name, entry.account.host, *due);
  } else {
    queue_.remove(name);
  }
  unreported_.insert(name);
}

// Steady time stands still while the machine sleeps: move what waits earlier by as much, and spread what is overdue. LOGIN-DELAY is not moved, the
// jump might be a corrected date.
void Scheduler::notice_sleep(SteadyTime now) {
  const WallTime wall = clock_.wall();
  const auto slept = std::chrono::duration_cast<SteadyTime::duration>(wall - wall_seen_) - (now - steady_seen_);
  wall_seen_ = wall;
  steady_seen_ = now;
  if (slept < kSleepMin) return;
  std::vector<std::pair<SteadyTime, std::string>> overdue;
  for (auto& [name, entry] : entries_) {
    const auto due = queue_.due_of(name);
    if (!due) continue;
    if (*due - now <= slept) {
      overdue.emplace_back(*due, name);
    } else {
      plan(name, entry, entry.plan.allowed(*due - slept));
    }
  }
  std::ranges::sort(overdue);
  std::vector<std::string> names;
  for (auto& [due, name] : overdue) names.push_back(std::move(name));
  spread(names, now);
}

void Scheduler::start_due(SteadyTime now) {
  while (const auto account = queue_.pop(now)) {
    Entry& entry = entries_.at(*account);
    entry.running = true;
    entry.stop = std::stop_source();
    workers_.start([this, name = *account, stop = entry.stop.get_token()] { session_ended(name, outcome_of(session_, name, stop)); });
  }
}

void Scheduler::session_ended(const std::string& name, const Result& result) {
  const std::lock_guard lock(mutex_);
  queue_.finish(name);
  alarm_.wake();
  const auto found = entries_.find(name);
  Entry& entry = found->second;
  entry.running = false;
  if (entry.removed) {
    entries_.erase(found);
    return;
  }
  // A daemon that was told to end has learned nothing about the account.
  if (closing_ && result.error == ErrorCode::interrupted) return;
  const SteadyTime now = clock_.steady();
  auto due = entry.plan.record(result, entry.account.interval, now, options_.random());
  if (std::exchange(entry.again, false)) {
    entry.plan.forgive();
    due = entry.plan.allowed(now);
  }
  plan(name, entry, due);
}

std::vector<std::stop_source> Scheduler::running_sessions() const {
  std::vector<std::stop_source> sessions;
  for (const auto& [name, entry] : entries_) {
    if (entry.running) sessions.push_back(entry.stop);
  }
  return sessions;
}

void Scheduler::report_plans() {
  std::vector<Planned> plans;
  bool again = false;
  {
    const std::lock_guard lock(mutex_);
    again = report_again_ && clock_.steady() >= *report_again_;
    if (again) report_again_.reset();
    for (const std::string& name : std::exchange(unreported_, {})) {
      const auto found = entries_.find(name);
      if (found == entries_.end() || found->second.running) continue;  // a running one has a new plan soon
      Planned planned{.account = name,
                      .next_sync = {},
                      .delay = {},
                      .consecutive_failures = found->second.plan.failures(),
                      .needs_operator = found->second.plan.needs_operator(),
                      .refused = found->second.plan.refused()};
      if (const auto due = queue_.due_of(name)) {
        const auto delay = *due - clock_.steady();
        planned.next_sync = clock_.wall() + std::chrono::duration_cast<WallTime::duration>(delay);
        planned.delay = std::chrono::ceil<std::chrono::seconds>(delay);
      }
      plans.push_back(std::move(planned));
    }
  }
  if ((again || !plans.empty()) && on_planned_) on_planned_(plans);
}

std::optional<SteadyTime> Scheduler::next_turn() {
  const std::lock_guard lock(mutex_);
  const auto due = queue_.next_due();
  if (!due || !report_again_) return due ? due : report_again_;
  return std::min(*due, *report_again_);
}

// Those under way are told to end.
void Scheduler::close() {
  std::vector<std::stop_source> sessions;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    sessions = running_sessions();
  }
  for (std::stop_source& session : sessions) session.request_stop();
}

bool Scheduler::drain(const std::function<void(std::optional<SteadyTime>)>& wait_until) {
  close();
  const SteadyTime deadline = clock_.steady() + options_.stop_grace;
  while (true) {
    std::string names;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [name, entry] : entries_) {
        if (entry.running) names += (names.empty() ? "" : ", ") + name;
      }
    }
    report_plans();
    if (names.empty()) return true;
    if (clock_.steady() >= deadline) {
      log_warning("", "these accounts did not stop in time: " + names);
      return false;
    }
    wait_until(deadline);
  }
}

}  // namespace popsync::schedule
