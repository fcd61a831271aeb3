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
      gate_(options_.disks),
      limits_(options_.limits),
      wall_seen_(clock.wall()),
      steady_seen_(clock.steady()),
      workers_(kWorkersPerSession * options_.limits.sessions_max) {}

Scheduler::~Scheduler() { close(); }

Ended Scheduler::run(const std::stop_token& stop, const Heartbeat& heartbeat) {
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
      look_at_disks(now);
      start_due(now);
    }
    report_plans();
    report_disks();
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
        gate_.forget(entry->first);
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
  limits_ = limits;
  queue_.set_limits(limits);
  workers_.set_threads_max(kWorkersPerSession * limits.sessions_max);
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
    entry.forgiven = !entry.known;
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
  if (found == entries_.end() || found->second.running || !found->second.known) return;
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
  const auto [at, is_new] = entries_.try_emplace(account.name, Entry{.account = account, .plan = AccountPlan({}, clock_.wall(), now)});
  if (is_new) return Takeover::start;
  Entry& entry = at->second;
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

void Scheduler::look_at_disks(SteadyTime now) {
  std::vector<std::string> free = gate_.look(now, queue_, limits_.sessions_max);
  std::erase_if(free, [this](const std::string& name) { return !entries_.contains(name) || entries_.at(name).running; });
  spread(free, now);
}

void Scheduler::start_due(SteadyTime now) {
  while (const auto account = queue_.pop(now)) {
    if (!gate_.admits(*account, limits_.sessions_max)) {
      queue_.finish(*account);  // the gate gives it back
      continue;
    }
    Entry& entry = entries_.at(*account);
    entry.running = true;
    entry.stop = std::stop_source();
    gate_.begin(*account, now);
    workers_.start([this, name = *account, stop = entry.stop.get_token()] { work(name, stop); });
  }
}

void Scheduler::work(const std::string& name, const std::stop_token& stop) {
  if (take_first_step(name, stop)) session_ended(name, outcome_of(session_, name, stop));
}

// Returns whether the session follows at once.
bool Scheduler::take_first_step(const std::string& name, const std::stop_token& stop) {
  Account account;
  {
    const std::lock_guard lock(mutex_);
    const Entry& entry = entries_.at(name);
    if (entry.known) return true;
    account = entry.account;
  }
  try {
    account = options_.first.look_up(account);
  } catch (const Error& error) {
    log_debug(name, error.what());
  }
  std::optional<SteadyTime> due;
  {
    const std::lock_guard lock(mutex_);
    due = first_due(entries_.at(name), account);
    if (due && *due <= clock_.steady()) return true;
  }
  options_.first.recover(name, stop);
  const std::lock_guard lock(mutex_);
  if (Entry* entry = end_job(name)) plan(name, *entry, std::exchange(entry->again, false) ? entry->plan.allowed(clock_.steady()) : due);
  return false;
}

// Empty: not before an operator has done something.
std::optional<SteadyTime> Scheduler::first_due(Entry& entry, const Account& account) {
  const SteadyTime now = clock_.steady();
  entry.known = true;
  entry.plan = AccountPlan(account, clock_.wall(), now);
  const bool forgiven = std::exchange(entry.forgiven, false);
  if (forgiven) entry.plan.forgive();
  if (forgiven || !left_to_operator(account.standing, clock_.wall())) return entry.plan.allowed(now);
  if (!account.standing.next_sync) return std::nullopt;
  return entry.plan.allowed(now + std::chrono::duration_cast<SteadyTime::duration>(*account.standing.next_sync - clock_.wall()));
}

// Null if the account is configured no longer.
Scheduler::Entry* Scheduler::end_job(const std::string& name) {
  queue_.finish(name);
  gate_.end(name);
  alarm_.wake();
  const auto found = entries_.find(name);
  found->second.running = false;
  if (!found->second.removed) return &found->second;
  gate_.forget(name);
  entries_.erase(found);
  return nullptr;
}

void Scheduler::session_ended(const std::string& name, const Result& result) {
  const std::lock_guard lock(mutex_);
  Entry* entry = end_job(name);
  if (entry == nullptr) return;
  // A daemon that was told to end has learned nothing about the account.
  if (closing_ && result.error == ErrorCode::interrupted) return;
  const SteadyTime now = clock_.steady();
  auto due = entry->plan.record(result, entry->account.interval, now, options_.random());
  if (std::exchange(entry->again, false)) {
    entry->plan.forgive();
    due = entry->plan.allowed(now);
  }
  plan(name, *entry, due);
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
      // A running one has a new plan soon. Of one that had no first step yet the state knows more than we.
      if (found == entries_.end() || found->second.running || !found->second.known) continue;
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

void Scheduler::report_disks() {
  std::vector<Unanswered> changes;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& name : gate_.take_changes()) {
      Unanswered change{.account = name};
      if (const auto trouble = gate_.trouble_of(name)) {
        change.since = clock_.wall() - std::chrono::duration_cast<WallTime::duration>(clock_.steady() - trouble->since);
        change.path = trouble->path;
        change.disk = trouble->disk;
      }
      changes.push_back(std::move(change));
    }
  }
  if (!changes.empty() && options_.on_unanswered) options_.on_unanswered(changes);
}

std::optional<SteadyTime> Scheduler::next_turn() {
  const std::lock_guard lock(mutex_);
  std::optional<SteadyTime> next;
  for (const auto& due : {queue_.next_due(), report_again_, gate_.next_look()}) {
    if (due) next = std::min(next.value_or(*due), *due);
  }
  return next;
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

Ended Scheduler::drain(const std::function<void(std::optional<SteadyTime>)>& wait_until) {
  close();
  const SteadyTime deadline = clock_.steady() + options_.stop_grace;
  while (true) {
    std::string running;
    std::string hung;
    bool all_wait = true;
    SteadyTime next = deadline;
    {
      const std::lock_guard lock(mutex_);
      (void)gate_.look(clock_.steady(), queue_, limits_.sessions_max);
      if (const auto look = gate_.next_look()) next = std::min(next, *look);
      for (const auto& [name, entry] : entries_) {
        if (!entry.running) continue;
        std::string& names = gate_.hangs(name) ? hung : running;
        names += (names.empty() ? "" : ", ") + name;
        all_wait = all_wait && gate_.waits(name);
      }
    }
    report_plans();
    report_disks();
    if (running.empty() && hung.empty()) return Ended::all;
    if (running.empty() || clock_.steady() >= deadline) {
      if (!hung.empty() && !running.empty()) hung += ", ";
      log_warning("", "these accounts did not stop in time: " + (hung += running));
      return all_wait ? Ended::all_but_hung : Ended::not_in_time;
    }
    wait_until(next);
  }
}

}  // namespace popsync::schedule
