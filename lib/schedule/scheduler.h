// SPDX-License-Identifier: MIT
// Runs every account at its time: one scheduler thread (who calls run()) owns the order, workers each run one account's session to its end. It does
// not know what a session is: it takes a function. An idle scheduler wakes for the next due account, the heartbeat and report_again(), for nothing
// else.
//
// At the start, after a reload and when the machine wakes from sleep the accounts that are due do not all start at once (kSpread...). There are never
// two sessions on one account. A crash loses nothing: all of this is planned anew from the accounts at the next start.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "schedule/account_plan.h"
#include "schedule/alarm.h"
#include "schedule/disk_gate.h"
#include "schedule/due_queue.h"
#include "schedule/worker_pool.h"

namespace popsync::schedule {

// Accounts that are due together: so many start at once, the others one after the other at this distance, or closer if their interval is short. Ten
// starts a second disturb no resolver and no server; ten thousand accounts fill their five minutes evenly and then stay so.
constexpr std::size_t kSpreadAtOnce = 8;
constexpr std::chrono::milliseconds kSpreadDistance{100};
// Wall time that passed and steady time did not: the machine slept (or its date was put right, which then costs one early session an account).
constexpr std::chrono::seconds kSleepMin{30};

// Threads for a session: beside as many as may run, as many may hang in a file system.
constexpr std::size_t kWorkersPerSession = 2;

// What is planned for an account, for status.
struct Planned {
  std::string account;
  std::optional<WallTime> next_sync = {};  // empty: not before a reload or a sync that names the account
  std::chrono::seconds delay{};            // so far ahead it is now
  unsigned consecutive_failures = 0;
  bool needs_operator = false;
  bool refused = false;  // the login, in the last session
};

// Fed to the service manager's watchdog from the scheduler's own loop: it stops when the loop does.
struct Heartbeat {
  std::chrono::nanoseconds every{};  // 0: none
  std::function<void()> beat = {};
};

// What is told of an account whose file system does not answer, or does again.
struct Unanswered {
  std::string account;
  std::optional<WallTime> since = {};  // empty: it answers
  std::string path = {};
  std::string disk = {};
};

// A random number in [0, 1) from the kernel.
double random_fraction();

// What happens before the first session of an account that is new to the scheduler, on its worker: all of it may hang in a file system.
struct FirstStep {
  // The account with what the state knows of it. An Error leaves it as it is: its session meets the same trouble.
  std::function<Account(const Account& account)> look_up = [](const Account& account) { return account; };
  // Settles what a crash left, where no session follows at once that would. It logs its own trouble and does not throw.
  std::function<void(const std::string& account, const std::stop_token& stop)> recover = [](const std::string&, const std::stop_token&) {};
};

struct SchedulerOptions {
  Limits limits = {};
  std::chrono::seconds stop_grace{20};  // well inside systemd's 90 s
  std::function<double()> random = random_fraction;
  FirstStep first = {};
  DiskWatch disks = {};
  // As OnPlanned, behind it, for accounts that wait for a file system.
  std::function<void(const std::vector<Unanswered>&)> on_unanswered = {};
};

// How run() ended.
enum class Ended {
  all,           // no session is left
  all_but_hung,  // those left wait for a file system
  not_in_time,   // some did not end in stop_grace, for whatever reason
};

class Scheduler {
 public:
  // One session, on a worker thread. Ends soon after `stop` fires, with interrupted or what it had reached. An Error thrown counts as its code; any
  // other exception is logged and counts as bug.
  using Session = std::function<Result(const std::string& account, std::stop_token stop)>;
  // Plans that changed, in one call for each turn of the loop, so that they can be stored in one transaction. On the scheduler thread, with no lock
  // held; it may call back. Must not throw: that would end run().
  using OnPlanned = std::function<void(const std::vector<Planned>&)>;

  // `clock` must outlive the scheduler. Throws Error io_error when the kernel has no descriptors left.
  Scheduler(const Clock& clock, SchedulerOptions options, Session session, OnPlanned on_planned);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  // Stops the sessions under way and waits for them, without a bound.
  ~Scheduler();

  // Schedules until `stop` fires, then stops the sessions under way and waits stop_grace for them, the heart beating on; not for those that hang
  // already. Unless all have ended (the others are logged) the caller must end the process with std::_Exit, for the destructor would wait. Throws
  // Error io_error if not even one thread can be started. Once in a scheduler's life.
  [[nodiscard]] Ended run(const std::stop_token& stop, const Heartbeat& heartbeat = {});

  // The rest may be called from any thread, before and during run().

  // The accounts there are from now on: at the start and at a reload. New and changed ones are due now; so are unchanged ones that were failing,
  // their failures forgiven; healthy ones keep their time. A new one that the state leaves to its operator waits for the time planned for it. The
  // session of one that is gone or changed is stopped.
  void replace_accounts(const std::vector<Account>& accounts);
  void set_limits(Limits limits);
  // All accounts at once, in spite of interval and back-off, but not of LOGIN-DELAY, and not those that need an operator.
  void sync_now();
  // These at once, also those that need an operator; failures are forgiven. One that is running runs again after it. Unknown names are ignored.
  void sync_now(const std::vector<std::string>& names);
  // Another popsync had a session on the account: the next is planned as if it had been ours. No effect while one is running here.
  void record_elsewhere(const std::string& account, const Result& result);
  // OnPlanned is called once more at that time, with the plans that changed until then, or none: for who does not store each at once. The earliest of
  // several counts. May be called from OnPlanned.
  void report_again(SteadyTime at);
  // The clocks moved in a way no timer shows: after the machine woke, if somebody knows; a test that moved its clock.
  void look_again();

 private:
  struct Entry {
    Account account;
    AccountPlan plan;
    std::stop_source stop{std::nostopstate};  // of the session under way
    bool running = false;
    bool known = false;     // its first step was taken, so `plan` has what the state knows
    bool forgiven = false;  // before that: an operator named it
    bool again = false;     // due at once when the session has ended
    bool removed = false;   // no longer configured; goes when the session has ended
  };

  // All but work(), take_first_step(), session_ended(), report_plans(), report_disks(), next_turn(), close() and drain() expect the mutex to be held.
  enum class Takeover { keep, start, end };
  Takeover take_over(const Account& account, SteadyTime now);
  void spread(const std::vector<std::string>& names, SteadyTime now);
  void plan(const std::string& name, Entry& entry, std::optional<SteadyTime> due);
  void notice_sleep(SteadyTime now);
  void look_at_disks(SteadyTime now);
  void start_due(SteadyTime now);
  void work(const std::string& name, const std::stop_token& stop);
  bool take_first_step(const std::string& name, const std::stop_token& stop);
  std::optional<SteadyTime> first_due(Entry& entry, const Account& account);
  Entry* end_job(const std::string& name);
  void session_ended(const std::string& name, const Result& result);
  [[nodiscard]] std::vector<std::stop_source> running_sessions() const;
  void report_plans();
  void report_disks();
  std::optional<SteadyTime> next_turn();
  void close();
  Ended drain(const std::function<void(std::optional<SteadyTime>)>& wait_until);

  const Clock& clock_;
  const SchedulerOptions options_;
  const Session session_;
  const OnPlanned on_planned_;
  Alarm alarm_;

  std::mutex mutex_;  // guards all below but the workers
  DueQueue queue_;
  DiskGate gate_;
  Limits limits_;
  std::map<std::string, Entry> entries_;
  std::set<std::string> unreported_;  // plans changed since the last OnPlanned
  std::optional<SteadyTime> report_again_;
  bool closing_ = false;
  WallTime wall_seen_;
  SteadyTime steady_seen_;

  WorkerPool workers_;  // last: its destructor waits for sessions, which use the rest
};

}  // namespace popsync::schedule
