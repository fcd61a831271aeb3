// SPDX-License-Identifier: MIT
#include "daemon_app.h"

#include <algorithm>
#include <csignal>
#include <set>

#include "account_wiring.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "base/port.h"
#include "log_setup.h"
#include "observe/service_manager.h"
#include "standing.h"
#include "state/transaction.h"
#include "sync/account_recovery.h"
#include "sync/login_delay.h"

namespace popsync {
namespace {

void log_report(const sync::SyncReport& report, const std::string& mailstore) {
  if (report.result == sync::SyncResult::interrupted) {
    log_info(report.account, "stopped; " + counted(report.fetched, "message") + " of this session are stored");
    return;
  }
  if (report.fetched > 0 || report.deleted > 0) {
    log_info(report.account, counted(report.fetched, "message") + " fetched (" + human_octets(report.octets) + ")" +
                                 (report.deleted > 0 ? ", " + std::to_string(report.deleted) + " deleted on the server" : "") + " in " +
                                 human_duration(report.duration));
  }
  if (!report.error) return;
  log_warning(report.account, report.error->what());
  if (report.error->code() == ErrorCode::mailstore_unavailable && observe::running_under_systemd()) {
    log_warning(report.account, "if the service's sandbox hides the folder: systemctl edit popsync, and there [Service] with a line ReadWritePaths=" +
                                    escaped(mailstore));
  }
}

// Empty if the last attempt was interrupted.
std::optional<schedule::Result> last_result(const state::AccountRow& row) {
  schedule::Result result{
      .error = {}, .login_delay = sync::honoured_login_delay(row.login_delay), .secret_worked = row.secret_worked, .refusals = row.refusals};
  const bool failed = row.consecutive_failures > 0;
  if (!failed && row.last_success == row.last_attempt) return result;
  if (!failed || !row.last_error || row.last_error->at != row.last_attempt) return std::nullopt;
  result.error = error_code_named(row.last_error->code).value_or(ErrorCode::bug);
  return result;
}

schedule::Limits limits_of(const config::Daemon& daemon) {
  return {.sessions_max = daemon.max_sessions, .sessions_per_host_max = daemon.max_sessions_per_host};
}

}  // namespace

struct DaemonApp::Generation {
  config::Config config;
  std::vector<std::string> names;
  std::set<std::string> scheduled;  // the enabled ones
  std::mutex mutex;                 // guards the maps; one account's keeper is used by one session at a time
  std::map<std::string, std::unique_ptr<secrets::SecretKeeper>> keepers;
  std::map<std::string, net::TlsMemory> tls;  // guarded and used as keepers are

  explicit Generation(config::Config loaded) : config(std::move(loaded)) {
    for (const config::Account& account : config.accounts) {
      names.push_back(account.name);
      if (account.enabled) scheduled.insert(account.name);
    }
  }

  secrets::SecretKeeper& keeper(const config::Account& account) {
    const std::lock_guard lock(mutex);
    auto& slot = keepers[account.name];
    if (!slot) slot = secret_keeper(account, config);
    return *slot;
  }

  net::TlsMemory& tls_of(const std::string& account) {
    const std::lock_guard lock(mutex);
    return tls[account];
  }
};

DaemonApp::DaemonApp(Program& program, DaemonSignals& signals, const state::FileLock& lock)
    : program_(program),
      signals_(signals),
      lock_(lock),
      store_(state::StateStore::open(program.paths.state_dir, {.holds_daemon_lock = true})),
      disks_(program.paths.state_dir, [this] { scheduler_.look_again(); }),
      generation_(std::make_shared<Generation>(program.config)),
      scheduler_(
          system_clock(),
          {.limits = limits_of(program.config.daemon),
           .first = {.look_up = [this](const schedule::Account& account) { return look_up(account); },
                     .recover = [this](const std::string& name, const std::stop_token& stop) { recover(name, stop); }},
           .disks = disks_.watch(),
           .on_unanswered = [this](const std::vector<schedule::Unanswered>& changes) { on_unanswered(changes); }},
          [this](const std::string& name, const std::stop_token& stop) { return session(name, stop); },
          [this](const std::vector<schedule::Planned>& planned) { on_planned(planned); }) {
  tell_configuration(lock_, program.read);
  store_->quick_check();
  auto transaction = store_->begin();
  transaction.forget_unanswered();
  transaction.commit();
  scheduler_.replace_accounts(scheduled_accounts());
}

DaemonApp::~DaemonApp() = default;

int DaemonApp::run() {
  signals_.serve([this](int signal) { on_signal(signal); });
  observe::notify_ready();
  tell_status();
  const auto period = observe::watchdog_period();
  const schedule::Ended ended =
      scheduler_.run(signals_.token(), period ? schedule::Heartbeat{.every = *period, .beat = observe::notify_watchdog} : schedule::Heartbeat{});
  flush_plans();
  if (ended != schedule::Ended::all) {
    // All that is committed stays, what is staged is settled at the next start. A session that a file system holds was not told in vain: nobody waits
    // for it, and no transaction is open there.
    log_warning("", "leaving without the sessions that did not end");
    std::_Exit(ended == schedule::Ended::all_but_hung ? 0 : exit_status(ErrorCode::interrupted));
  }
  signals_.end_errands();
  return 0;
}

// Looks at the file of the secret, so that an operator's change of it counts.
schedule::Account DaemonApp::look_up(const schedule::Account& scheduled) {
  const auto current = generation();
  const config::Account* account = current->config.find(scheduled.name);
  schedule::Account known = scheduled;
  const auto row = account == nullptr ? std::nullopt : store_->account_named(account->name);
  if (!row || row->user != account->user) return known;
  std::string with;
  disks_.of(account->name, mailstore_target(*account)).touch(secret_file(*account), [&] { with = tried_with(*account, current->config); });
  known.standing = standing_of(*row, with);
  if (row->host == account->endpoint.host && (row->port == 0 || same_port(row->port, account->endpoint.port))) {
    known.login_delay = sync::honoured_login_delay(row->login_delay);
    known.last_login = row->last_login;
  }
  if (schedule::left_to_operator(known.standing, system_clock().wall())) log_warning(account->name, left_out(*row).what());
  const std::lock_guard lock(mutex_);
  if (row->last_attempt) sessions_seen_.try_emplace(account->name, *row->last_attempt);
  return known;
}

void DaemonApp::recover(const std::string& name, const std::stop_token& token) {
  const auto current = generation();
  const config::Account* account = current->config.find(name);
  if (account == nullptr) return;
  try {
    const StopSignal stop(token);
    const std::uint64_t finished = sync::recover_account(services(*account, *current), sync_settings(*account), stop);
    if (finished > 0) log_info(name, counted(finished, "message") + " finished after an interruption");
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) return log_info(name, error.what());
    // The account's own session meets the same trouble and backs off.
    log_warning(name, std::string("recovery has to wait: ") + error.what());
  }
}

sync::SyncServices DaemonApp::services(const config::Account& account, const Generation& current) {
  return {.store = *store_,
          .fs = disks_.of(account.name, mailstore_target(account)),
          .clock = clock_of(current.config.daemon),
          .pools = pools_,
          .configured_names = current.names,
          .command = program_.lock_name()};
}

void DaemonApp::on_signal(int signal) {
  switch (signal) {
    case SIGHUP: reload(); break;
    case SIGUSR1: scheduler_.sync_now(); break;
    case SIGUSR2: look_at_state(); break;
    default: break;
  }
}

void DaemonApp::reload() {
  observe::notify_reloading();
  try {
    const ConfigurationRead read = configuration_now(program_.paths.config_file);
    auto loaded = reload_config(program_.paths);
    if (loaded && std::ranges::none_of(loaded->accounts, &config::Account::enabled)) {
      // A start would end with 78: a file that was emptied by accident must not end all fetching.
      log_error("", "the configuration has no account that is enabled; the running one stays in force");
    } else if (loaded) {
      {
        const std::lock_guard lock(mutex_);
        generation_ = std::make_shared<Generation>(std::move(*loaded));
        std::erase_if(plans_, [this](const auto& plan) { return !generation_->scheduled.contains(plan.first); });
      }
      tell_configuration(lock_, read);
      const auto current = generation();
      set_up_log(current->config.daemon, program_.options.verbosity);
      scheduler_.set_limits(limits_of(current->config.daemon));
      scheduler_.replace_accounts(scheduled_accounts());
      scheduler_.sync_now(current->names);
      log_info("", "configuration reloaded: " + counted(current->names.size(), "account"));
    } else {
      log_error("", "the configuration has mistakes; the running one stays in force");
    }
  } catch (...) {  // whatever it is: the service manager waits for the end of the reload
    log_thrown("", "the configuration could not be read, the running one stays in force");
  }
  observe::notify_ready();
  tell_status();
}

// Another popsync has synced: an account that we had given up on, or are waiting for, is well again; or it has failed once more, and that counts. Or
// its operator has accepted what stopped it: then it is tried at once.
void DaemonApp::look_at_state() {
  std::vector<std::string> forgiven;
  try {
    const WallTime now = system_clock().wall();
    store_->bring_times_back(store_->accounts(), now);
    for (const state::AccountRow& row : store_->accounts()) {
      {
        const std::lock_guard lock(mutex_);
        WallTime& seen = sessions_seen_[row.name];
        if (seen > now) seen = {};  // the clock was ahead then
        if (!row.last_attempt || *row.last_attempt <= seen) {
          const auto plan = plans_.find(row.name);
          if (plan != plans_.end() && plan->second.needs_operator && !row.needs_operator) forgiven.push_back(row.name);
          continue;
        }
        seen = *row.last_attempt;
      }
      if (const auto result = last_result(row)) scheduler_.record_elsewhere(row.name, *result);
    }
    if (!forgiven.empty()) scheduler_.sync_now(forgiven);
  } catch (const Error& error) {
    log_warning("", error.what());
  }
}

schedule::Result DaemonApp::session(const std::string& name, const std::stop_token& token) {
  const auto current = generation();
  const config::Account* account = current->config.find(name);
  if (account == nullptr) return {};
  const StopSignal stop(token);
  const sync::SyncServices services = this->services(*account, *current);
  const sync::AccountSettings settings = sync_settings(*account);
  secrets::SecretKeeper& keeper = current->keeper(*account);
  std::string with;
  disks_.of(name, settings.mailstore).touch(secret_file(*account), [&] { with = tried_with(*account, current->config); });
  const sync::SyncReport report = sync::sync_account(services, {.settings = settings,
                                                                .secret = provide_from(keeper, stop, disks_.of(name, settings.mailstore), *account),
                                                                .stop = stop,
                                                                .lock_wait = {},
                                                                .trace = {},
                                                                .progress = {},
                                                                .tls = &current->tls_of(name),
                                                                .tried_with = with});
  if (report.error && refuses_login(report.error->code())) keeper.forget();
  // Held by a `popsync sync`: it writes its own lines, and tells us when it is done.
  if (!report.error || report.error->code() != ErrorCode::lock_held) log_report(report, settings.mailstore.path);
  {
    const std::lock_guard lock(mutex_);
    sessions_seen_[name] = system_clock().wall();
    if (report.result == sync::SyncResult::ok) successes_[name] = sessions_seen_[name];
  }
  return {.error = report.error ? std::optional(report.error->code()) : std::nullopt,
          .login_delay = report.login_delay,
          .secret_worked = report.secret_worked,
          .refusals = report.refusals};
}

void DaemonApp::on_planned(const std::vector<schedule::Planned>& planned) {
  bool urgent = false;
  SteadyTime flush_at;
  {
    const std::lock_guard lock(mutex_);
    for (const schedule::Planned& plan : planned) {
      if (!generation_->scheduled.contains(plan.account)) continue;  // gone meanwhile, by a reload
      const auto before = plans_.find(plan.account);
      const bool turned = before != plans_.end() && before->second.needs_operator != plan.needs_operator;
      urgent = urgent || turned || plan.needs_operator || plan.refused;  // a restart must not try it again
      plans_[plan.account] = plan;
      unwritten_.push_back(plan.account);
    }
    flush_at = last_flush_ + kPlanFlushEvery;
    urgent = urgent || system_clock().steady() >= flush_at;
  }
  if (urgent) {
    flush_plans();
  } else {
    scheduler_.report_again(flush_at);  // nothing else may happen for an interval
  }
  tell_status();
}

void DaemonApp::on_unanswered(const std::vector<schedule::Unanswered>& changes) {
  {
    const std::lock_guard lock(mutex_);
    std::set<std::string> told;
    for (const auto& [account, disk] : unanswered_) told.insert(disk);
    for (const schedule::Unanswered& change : changes) {
      unanswered_.erase(change.account);
      if (!change.since) continue;
      unanswered_.emplace(change.account, change.disk);
      if (told.insert(change.disk).second) {
        log_warning(change.account, std::string(does_not_answer(change.path, *change.since).what()) + "; no other account is started on that disk");
      }
    }
    if (unanswered_.empty()) log_info("", "every file system answers again");
  }
  try {
    auto transaction = store_->begin();
    for (const schedule::Unanswered& change : changes) {
      std::optional<state::UnansweredRow> row;
      if (change.since) row = state::UnansweredRow{.since = *change.since, .path = change.path};
      transaction.set_unanswered(change.account, row);
    }
    transaction.commit();
  } catch (const Error& error) {
    log_warning("", error.what());  // only told to `status`
  }
  tell_status();
}

void DaemonApp::flush_plans() {
  std::vector<schedule::Planned> plans;
  std::map<std::string, WallTime> successes;
  {
    const std::lock_guard lock(mutex_);
    successes.swap(successes_);
    for (const std::string& name : unwritten_) {
      if (const auto plan = plans_.find(name); plan != plans_.end()) plans.push_back(plan->second);
    }
    unwritten_.clear();
    last_flush_ = system_clock().steady();
  }
  if (plans.empty() && successes.empty()) return;
  try {
    auto transaction = store_->begin();
    for (const schedule::Planned& plan : plans) transaction.set_plan(plan.account, plan.next_sync, plan.delay, plan.needs_operator);
    for (const auto& [account, at] : successes) transaction.note_success(account, at);
    transaction.commit();
  } catch (const Error& error) {
    log_warning("", error.what());  // only told to `status`; the next plan is written again
  }
}

void DaemonApp::tell_status() {
  std::size_t failing = 0;
  std::size_t accounts = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const config::Account& account : generation_->config.accounts) accounts += account.enabled ? 1 : 0;
    failing = unanswered_.size();
    for (const auto& [name, plan] : plans_)
      failing += (plan.consecutive_failures > 0 || plan.needs_operator) && !unanswered_.contains(name) ? 1U : 0U;
  }
  observe::notify_status(counted(accounts, "account") +
                         (failing == 0 ? ", all well" : ", " + std::to_string(failing) + " failing (popsync status --failing)"));
}

std::shared_ptr<DaemonApp::Generation> DaemonApp::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

std::vector<schedule::Account> DaemonApp::scheduled_accounts() {
  store_->bring_times_back(store_->accounts(), system_clock().wall());
  const auto current = generation();
  std::vector<schedule::Account> accounts;
  for (const config::Account& account : current->config.accounts) {
    if (!account.enabled) continue;
    accounts.push_back(scheduled(account));
    (void)disks_.of(account.name, mailstore_target(account));
  }
  return accounts;
}

}  // namespace popsync
