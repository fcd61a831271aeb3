// SPDX-License-Identifier: MIT
// The daemon: accounts on a schedule, signals, the service manager. Built on the scheduler; a session is one sync_account().
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "delivery/sync_pool.h"
#include "program.h"
#include "schedule/scheduler.h"
#include "secrets/secret_source.h"
#include "state/state_store.h"

namespace popsync {

constexpr std::chrono::seconds kPlanFlushEvery{5};  // plans are written at most so often, and at most so late

class DaemonApp {
 public:
  // Throws Error if configuration or state cannot be used; recovers every account before it returns.
  explicit DaemonApp(Program& program);
  ~DaemonApp();

  // Returns the exit status after SIGTERM or SIGINT.
  int run();

 private:
  // One configuration in force, with its secrets; replaced whole at reload, kept by sessions that still use it.
  struct Generation;

  void recover_all();
  void on_signal(int signal);
  void reload();
  void look_at_state();
  schedule::Result session(const std::string& name, const std::stop_token& stop);
  void on_planned(const std::vector<schedule::Planned>& planned);
  void flush_plans();
  void tell_status();
  [[nodiscard]] std::shared_ptr<Generation> generation() const;
  [[nodiscard]] std::vector<schedule::Account> scheduled_accounts();
  // Says why accounts are not tried at the start.
  void tell_left_out(const std::vector<schedule::Account>& accounts);

  Program& program_;
  std::unique_ptr<state::StateStore> store_;
  delivery::SyncPool pool_;
  std::stop_source stop_;
  mutable std::mutex mutex_;  // guards all below
  std::shared_ptr<Generation> generation_;
  std::map<std::string, schedule::Planned> plans_;  // the newest of each account
  std::vector<std::string> unwritten_;              // accounts whose plan is not in the state yet
  SteadyTime last_flush_{};
  std::map<std::string, WallTime> sessions_seen_;  // when the last one ended that the schedule knows of, ours or another's

  schedule::Scheduler scheduler_;  // last: its workers use all above until it is gone
};

}  // namespace popsync
