// SPDX-License-Identifier: MIT
// The daemon: accounts on a schedule, signals, the service manager. Built on the scheduler; a session is one sync_account().
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "account_disks.h"
#include "daemon_signals.h"
#include "delivery/sync_pool.h"
#include "program.h"
#include "schedule/scheduler.h"
#include "secrets/secret_source.h"
#include "state/file_lock.h"
#include "state/state_store.h"
#include "sync/account_sync.h"

namespace popsync {

constexpr std::chrono::seconds kPlanFlushEvery{5};  // plans are written at most so often, and at most so late

class DaemonApp {
 public:
  // `lock` is the daemon's own: `status` reads there which configuration is in force. Throws Error if the state cannot be used. Touches no mailstore,
  // nor does run() but on the accounts' own threads.
  DaemonApp(Program& program, DaemonSignals& signals, const state::FileLock& lock);
  ~DaemonApp();

  // Returns the exit status after SIGTERM or SIGINT. Where a thread hangs in a file system it ends the process itself: that would be waited for.
  int run();

 private:
  // One configuration in force, with its secrets; replaced whole at reload, kept by sessions that still use it.
  struct Generation;

  schedule::Account look_up(const schedule::Account& account);
  void recover(const std::string& name, const std::stop_token& token);
  [[nodiscard]] sync::SyncServices services(const config::Account& account, const Generation& current);
  void on_signal(int signal);
  void reload();
  void look_at_state();
  schedule::Result session(const std::string& name, const std::stop_token& stop);
  void on_planned(const std::vector<schedule::Planned>& planned);
  void on_unanswered(const std::vector<schedule::Unanswered>& changes);
  void flush_plans();
  void tell_status();
  [[nodiscard]] std::shared_ptr<Generation> generation() const;
  [[nodiscard]] std::vector<schedule::Account> scheduled_accounts();

  Program& program_;
  DaemonSignals& signals_;
  const state::FileLock& lock_;
  std::unique_ptr<state::StateStore> store_;
  delivery::SyncPools pools_;
  AccountDisks disks_;
  mutable std::mutex mutex_;  // guards all below
  std::shared_ptr<Generation> generation_;
  std::map<std::string, schedule::Planned> plans_;  // the newest of each account
  std::vector<std::string> unwritten_;              // accounts whose plan is not in the state yet
  std::map<std::string, WallTime> successes_;       // last ones that are not in the state yet, perhaps
  SteadyTime last_flush_{};
  std::map<std::string, std::string> unanswered_;  // accounts whose file system does not answer, and their disks
  std::map<std::string, WallTime> sessions_seen_;  // when the last one ended that the schedule knows of, ours or another's

  schedule::Scheduler scheduler_;  // last: its workers use all above until it is gone
};

}  // namespace popsync
