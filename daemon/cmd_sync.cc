// SPDX-License-Identifier: MIT
// popsync sync: one pass over the accounts.
#include <unistd.h>

#include <iostream>
#include <map>
#include <memory>
#include <mutex>

#include "account_disks.h"
#include "account_wiring.h"
#include "base/format.h"
#include "commands.h"
#include "daemon_status.h"
#include "json_text.h"
#include "look.h"
#include "output.h"
#include "progress_bars.h"
#include "schedule/one_pass.h"
#include "standing.h"
#include "state_opening.h"
#include "sync/account_sync.h"
#include "sync/clock_trouble.h"
#include "sync/dry_run.h"

namespace popsync {
namespace {

std::string summary(const sync::SyncReport& report) {
  std::string text = report.account + ": ";
  text += report.fetched == 0 ? "nothing new" : counted(report.fetched, "message") + " fetched (" + human_octets(report.octets) + ")";
  if (report.recovered > 0) text += ", " + std::to_string(report.recovered) + " finished after an interruption";
  if (report.deleted > 0) text += ", " + std::to_string(report.deleted) + " deleted on the server";
  if (report.held > 0) text += ", " + std::to_string(report.held) + " held";
  return text;
}

std::string_view text_of(sync::SyncResult result) {
  switch (result) {
    case sync::SyncResult::ok: return "ok";
    case sync::SyncResult::error: return "error";
    case sync::SyncResult::interrupted: return "interrupted";
    case sync::SyncResult::not_run: return "not_run";
  }
  return "error";
}

// Takes reports as they come and tells them: bars and lines on a terminal, lines for what happened elsewhere, JSON at the end.
class Teller {
 public:
  explicit Teller(const Options& options)
      : json_(options.json), quiet_(options.verbosity < 0), terminal_(!options.json && ::isatty(STDOUT_FILENO) == 1) {
    if (!json_ && !quiet_ && !options.trace && terminal_shows_progress()) bars_ = std::make_unique<ProgressBars>();
  }

  [[nodiscard]] sync::ProgressFunction progress(const std::string& account) {
    if (!bars_) return {};
    return [this, account](const sync::Progress& progress) { bars_->show(account, progress); };
  }

  void tell(sync::SyncReport report) {
    const std::lock_guard lock(mutex_);
    if (bars_) {
      bars_->finish(report.account);
      bars_->print([&] { print(report); });
    } else if (!json_) {
      print(report);
    }
    reports_.emplace(report.account, std::move(report));
  }

  int finish() {
    bars_.reset();
    int status = 0;
    for (const auto& [name, report] : reports_) {
      if (report.error) status = worse_exit_status(status, exit_status(report.error->code()));
      if (report.result == sync::SyncResult::not_run && !report.error) status = worse_exit_status(status, exit_status(ErrorCode::interrupted));
    }
    if (json_) print_reports();
    return status;
  }

 private:
  void print(const sync::SyncReport& report) const {
    const bool something = report.fetched > 0 || report.deleted > 0 || report.recovered > 0;
    const bool ok = report.result == sync::SyncResult::ok;
    if (!quiet_ && (something || (terminal_ && ok))) std::cout << summary(report) << std::endl;
    if (!quiet_ && report.deletion_waits_since) {
      std::cout << report.account << ": " << sync::deletion_waits_text(*report.deletion_waits_since) << "\n  " << sync::deletion_waits_hint()
                << std::endl;
    }
    if (!report.error) return;
    std::cerr << "error: " << report.account << ": " << report.error->message() << '\n';
    if (!report.error->hint().empty()) std::cerr << "  " << report.error->hint() << '\n';
  }

  void print_reports() const {
    auto answer = json_answer();
    auto accounts = json_array();
    for (const auto& [name, report] : reports_) {
      auto account = json_object();
      account->set("name", name);
      account->set("result", std::string(text_of(report.result)));
      account->set("fetched", report.fetched);
      account->set("octets", report.octets);
      account->set("deleted", report.deleted);
      account->set("held", report.held);
      account->set("skipped", report.skipped);
      account->set("recovered", report.recovered);
      account->set("deletion_waits_since", json_time(report.deletion_waits_since));
      account->set("duration_s", static_cast<double>(report.duration.count()) / 1000.0);
      account->set("error", json_error(report.error));
      accounts->add(account);
    }
    answer->set("accounts", accounts);
    print_json(answer);
  }

  bool json_;
  bool quiet_;
  bool terminal_;
  std::unique_ptr<ProgressBars> bars_;
  std::mutex mutex_;  // guards reports_ and standard output
  std::map<std::string, sync::SyncReport> reports_;
};

// What is known of the account, and what it would be tried with.
struct Known {
  std::optional<state::AccountRow> row;
  std::string tried_with;
};

// Nothing of an account that is another user's: its sync says so.
Known known_of(const StoredAccounts& stored, const Program& program, const config::Account& account, WatchedFs& fs) {
  Known known;
  fs.touch(secret_file(account), [&] { known.tried_with = tried_with(account, program.config); });
  try {
    known.row = stored.of(account);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::account_identity) throw;
  }
  return known;
}

sync::SyncReport left_out_report(const std::string& account, const state::AccountRow& row) {
  sync::SyncReport report;
  report.account = account;
  report.error = left_out(row);
  return report;
}

// As it stands for this command: to name an account is an operator's word.
schedule::Standing standing_for(const Program& program, const Known& known) {
  const bool named = !program.options.accounts.empty();
  return named || !known.row ? schedule::Standing{} : standing_of(*known.row, known.tried_with);
}

void print_plan(const config::Account& account, const sync::DryRun& dry) {
  std::cout << account.name << ": would fetch " << counted(dry.plan.fetch.size(), "message") << " (" << human_octets(dry.plan.octets) << "), delete "
            << counted(dry.old_deletions, "message") << " stored in earlier sessions, hold " << dry.plan.hold.size() << "; " << dry.plan.known
            << " known already\n";
  for (const sync::Fetch& fetch : dry.plan.fetch) {
    std::cout << "  " << (fetch.candidates.empty() ? "fetch   " : "compare ") << pop3::to_text(fetch.entry.uid, fetch.occurrence) << "  "
              << human_octets(fetch.entry.list_size.value_or(0)) << '\n';
  }
  for (const std::string& name : dry.deletions) std::cout << "  delete  " << name << '\n';
  for (const sync::Hold& hold : dry.plan.hold)
    std::cout << "  hold    " << pop3::to_text(hold.entry.uid, hold.occurrence) << "  " << human_octets(hold.entry.list_size.value_or(0)) << '\n';
}

Poco::JSON::Object::Ptr plan_as_json(const std::string& name, const sync::DryRun& dry) {
  auto account = json_object();
  account->set("name", name);
  account->set("would_fetch", dry.plan.fetch.size());
  account->set("octets", dry.plan.octets);
  account->set("would_delete", dry.old_deletions);
  account->set("would_hold", dry.plan.hold.size());
  account->set("skipped", dry.plan.known);
  account->set("error", Poco::Dynamic::Var());
  return account;
}

int dry_run(Program& program) {
  const auto store = open_existing_state(program);
  const StopOnSignal stop;
  const StoredAccounts stored(store.get(), program);
  AccountDisks disks(program.paths.state_dir);
  auto answers = json_array();
  int status = 0;
  for (const config::Account* account : program.chosen_accounts()) {
    const sync::AccountSettings settings = sync_settings(*account);
    const auto keeper = secret_keeper(*account, program.config);
    try {
      const Known known = known_of(stored, program, *account, disks.of(account->name, settings.mailstore));
      if (schedule::left_to_operator(standing_for(program, known), system_clock().wall())) throw left_out(*known.row);
      const sync::DryRun dry = sync::plan_account(store.get(), clock_of(program.config.daemon),
                                                  {.settings = settings,
                                                   .secret = provide_from(*keeper, stop.signal()),
                                                   .stop = stop.signal(),
                                                   .lock_wait = program.options.wait.value_or(state::kLockWaitDefault),
                                                   .trace = trace_for(program, account->name),
                                                   .progress = {}},
                                                  program.account_names(), program.lock_name());
      if (program.options.json) {
        answers->add(plan_as_json(account->name, dry));
      } else {
        print_plan(*account, dry);
      }
    } catch (const Error& error) {
      status = worse_exit_status(status, exit_status(error.code()));
      auto answer = json_object();
      answer->set("name", account->name);
      answer->set("error", json_error(error));
      answers->add(answer);
      if (!program.options.json) std::cerr << "error: " << account->name << ": " << error.what() << '\n';
    }
  }
  if (program.options.json) {
    auto answer = json_answer();
    answer->set("accounts", answers);
    print_json(answer);
  }
  return status;
}

}  // namespace

int cmd_sync(Program& program) {
  if (program.options.dry_run) return dry_run(program);
  const auto accounts = program.chosen_accounts();
  const StopOnSignal stop;
  const auto store = open_state(program);
  store->bring_times_back(store->accounts(), system_clock().wall());
  delivery::SyncPools pools;
  AccountDisks disks(program.paths.state_dir);
  const std::vector<std::string> names = program.account_names();
  Teller teller(program.options);
  const StoredAccounts stored(store.get(), program);
  std::vector<schedule::PassAccount> pass;
  for (const config::Account* account : accounts) {
    pass.push_back({.name = account->name, .host = account->endpoint.host});
    (void)disks.of(account->name, mailstore_target(*account));
  }
  const auto session = [&](const std::string& name) {
    const config::Account& account = *program.config.find(name);
    const sync::AccountSettings settings = sync_settings(account);
    const auto keeper = secret_keeper(account, program.config);
    WatchedFs& fs = disks.of(name, settings.mailstore);
    const Known known = known_of(stored, program, account, fs);
    if (schedule::left_to_operator(standing_for(program, known), system_clock().wall())) return teller.tell(left_out_report(name, *known.row));
    const sync::SyncServices services{.store = *store,
                                      .fs = fs,
                                      .clock = clock_of(program.config.daemon),
                                      .pools = pools,
                                      .configured_names = names,
                                      .command = program.lock_name(),
                                      .bookkeeping_every = {}};  // status is to tell of it at once, and so is the daemon
    sync::SyncReport report = sync::sync_account(services, {.settings = settings,
                                                            .secret = provide_from(*keeper, stop.signal(), fs, account),
                                                            .stop = stop.signal(),
                                                            .lock_wait = program.options.wait.value_or(state::kLockWaitDefault),
                                                            .trace = trace_for(program, name),
                                                            .progress = teller.progress(name),
                                                            .tried_with = known.tried_with});
    record_plan(*store, account, standing_for(program, known), report);
    teller.tell(std::move(report));
  };
  const schedule::PassOptions options{
      .limits = {.sessions_max = program.config.daemon.max_sessions, .sessions_per_host_max = program.config.daemon.max_sessions_per_host},
      .disks = disks.watch()};
  const schedule::PassEnd end = schedule::run_one_pass(pass, options, session, stop.signal().token());
  for (const std::string& name : end.left) {
    sync::SyncReport report;
    report.account = name;
    teller.tell(report);
  }
  for (const schedule::PassEnd::Hung& hung : end.hung) {
    sync::SyncReport report;
    report.account = hung.account;
    report.result = sync::SyncResult::error;
    report.error = does_not_answer(hung.path, hung.since);
    record_unanswered(*store, *program.config.find(hung.account), names, *report.error);
    teller.tell(std::move(report));
  }
  tell_daemon(store->directory());
  const int status = teller.finish();
  if (end.threads_left) leave_process(status);  // what hangs would be waited for
  return status;
}

}  // namespace popsync
