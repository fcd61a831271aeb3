// SPDX-License-Identifier: MIT
// popsync status: what the state tells about the accounts, without talking to a server. It answers while the configuration has mistakes too, from the
// state alone: the daemon works on then, and whoever watches it must not go blind.
#include <algorithm>
#include <iostream>

#include "account_status.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/nearest.h"
#include "commands.h"
#include "configuration_read.h"
#include "daemon_status.h"
#include "json_text.h"
#include "look.h"

namespace popsync {
namespace {

// The daemon, and the configuration that it works with.
struct DaemonSeen {
  std::optional<state::LockHolder> holder;  // empty: none runs
  std::optional<ConfigurationRead> read;
  std::optional<FileChange> changed;  // after that
};

DaemonSeen look_at_daemon(const std::string& state_dir) {
  DaemonSeen seen{.holder = running_daemon(state_dir), .read = {}, .changed = {}};
  if (seen.holder) seen.read = configuration_of(*seen.holder);
  if (seen.read) seen.changed = changed_since(*seen.read);
  return seen;
}

std::string systemctl(const Program& program) { return std::string("systemctl ") + (program.paths.system ? "" : "--user "); }

// What starts the daemon; where there is nothing for it to do it would end at once.
std::string way_to_start(const Program& program) {
  std::string command = "start it with: " + systemctl(program) + "enable --now popsync";
  if (!program.mistakes.empty()) return "mend the configuration, then " + command;
  if (std::ranges::none_of(program.config.accounts, &config::Account::enabled)) {
    const std::string none = program.config.accounts.empty() ? "no account is configured" : "no account is enabled";
    return none + ": describe one in " + escaped(program.paths.config_file);
  }
  return command;
}

std::string way_to_reload(const Program& program, const DaemonSeen& daemon) {
  const std::string command = daemon.read->service ? systemctl(program) + "reload popsync" : "kill -HUP " + std::to_string(daemon.holder->pid);
  return program.mistakes.empty() ? command : "mend it, then " + command;
}

void print_daemon(const Program& program, const DaemonSeen& daemon) {
  if (!daemon.holder) {
    std::cout << "popsync does not run (" << way_to_start(program) << ")\n";
    return;
  }
  std::cout << "popsync runs, pid " << daemon.holder->pid << ", since " << rfc3339_utc(daemon.holder->since);
  if (daemon.read) {
    const bool other = daemon.read->file != program.paths.config_file;
    std::cout << ", with the configuration " << (other ? escaped(daemon.read->file) + " " : "") << "of " << rfc3339_utc(daemon.read->at);
  }
  std::cout << '\n';
  if (daemon.changed) {
    std::cout << escaped(daemon.changed->file) << " was changed at " << rfc3339_utc(daemon.changed->at)
              << ", after popsync read it: " << way_to_reload(program, daemon) << '\n';
  }
}

void print_mistakes(const Program& program) {
  if (!program.mistakes.empty()) std::cout << mistakes_text(program.mistakes.size()) << ": what follows is what the state knows\n";
}

Poco::JSON::Object::Ptr daemon_json(const DaemonSeen& daemon) {
  auto running = json_object();
  running->set("running", daemon.holder.has_value());
  running->set("pid", daemon.holder ? Poco::Dynamic::Var(daemon.holder->pid) : Poco::Dynamic::Var());
  running->set("since", daemon.holder ? Poco::Dynamic::Var(rfc3339_utc(daemon.holder->since)) : Poco::Dynamic::Var());
  return running;
}

Poco::JSON::Object::Ptr mistake_json(const config::Diagnostic& diagnostic) {
  const config::Origin& where = diagnostic.where;
  auto mistake = json_object();
  mistake->set("file", where.file);
  mistake->set("line", where.line == 0 ? Poco::Dynamic::Var() : Poco::Dynamic::Var(where.line));
  mistake->set("column", where.line == 0 ? Poco::Dynamic::Var() : Poco::Dynamic::Var(where.column));
  mistake->set("text", diagnostic.text);
  return mistake;
}

Poco::JSON::Object::Ptr configuration_json(const Program& program, const DaemonSeen& daemon) {
  auto configuration = json_object();
  configuration->set("read_at", json_time(daemon.read ? std::optional(daemon.read->at) : std::nullopt));
  configuration->set("changed_at", json_time(daemon.changed ? std::optional(daemon.changed->at) : std::nullopt));
  auto mistakes = json_array();
  for (const config::Diagnostic& mistake : program.mistakes) mistakes->add(mistake_json(mistake));
  configuration->set("mistakes", mistakes);
  return configuration;
}

std::vector<const config::Account*> configured_to_tell(const Program& program) {
  if (!program.options.accounts.empty()) return program.chosen_accounts();
  std::vector<const config::Account*> all;
  for (const config::Account& account : program.config.accounts) all.push_back(&account);
  return all;
}

std::vector<state::AccountRow> stored_to_tell(const Program& program, state::StateStore* store) {
  std::vector<state::AccountRow> rows = store == nullptr ? std::vector<state::AccountRow>{} : store->accounts();
  const std::vector<std::string>& named = program.options.accounts;
  for (const std::string& name : named) {
    if (std::ranges::count(rows, name, &state::AccountRow::name) == 0) refuse_unknown_to_state(program, store, name, "status");
  }
  if (!named.empty()) std::erase_if(rows, [&](const state::AccountRow& row) { return std::ranges::count(named, row.name) == 0; });
  return rows;
}

std::vector<AccountStatus> look_at_accounts(const Program& program, const StatusQuestion& question) {
  std::vector<AccountStatus> all;
  if (!program.mistakes.empty()) {
    for (const state::AccountRow& row : stored_to_tell(program, question.store)) all.push_back(status_of(question, row));
    return all;
  }
  const StoredAccounts stored(question.store, program);
  for (const config::Account* account : configured_to_tell(program)) all.push_back(status_of(question, stored, program, *account));
  return all;
}

}  // namespace

int cmd_status(Program& program) {
  const DaemonSeen daemon = look_at_daemon(program.paths.state_dir);
  const auto store = state::StateStore::open_to_look(program.paths.state_dir);
  const bool json = program.options.json;
  if (!json) {
    print_daemon(program, daemon);
    print_mistakes(program);
    if (store && store->is_copy_of_older())
      std::cout << "the state is that of an older popsync; the next sync or start of the daemon changes its tables\n";
  }
  auto accounts = json_array();
  int worst = program.mistakes.empty() ? 0 : exit_status(ErrorCode::configuration);
  for (const AccountStatus& status : look_at_accounts(program, {.store = store.get(), .daemon_runs = daemon.holder.has_value(), .all_held = json})) {
    const config::Account* account = program.config.find(status.name);
    if (account == nullptr || account->enabled) worst = worse_exit_status(worst, exit_status_of(status));
    if (program.options.failing && !failing(status)) continue;
    if (json) {
      accounts->add(as_json(status));
    } else {
      print_text(status, daemon.holder.has_value());
    }
  }
  if (json) {
    auto answer = json_answer();
    answer->set("daemon", daemon_json(daemon));
    answer->set("configuration", configuration_json(program, daemon));
    answer->set("accounts", accounts);
    print_json(answer);
  }
  return program.options.exit_code ? worst : 0;
}

}  // namespace popsync
