// SPDX-License-Identifier: MIT
// popsync status: what the state tells about the accounts, without talking to a server.
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "account_disks.h"
#include "account_wiring.h"
#include "base/escape.h"
#include "base/format.h"
#include "commands.h"
#include "daemon_status.h"
#include "json_text.h"
#include "look.h"
#include "sync/clock_trouble.h"
#include "sync/row_names.h"
#include "sync/suspension.h"

namespace popsync {
namespace {

// As text; more is no text that somebody reads. JSON has them all.
constexpr std::uint32_t kHeldTold = 20;

struct AccountStatus {
  std::string name;
  std::string_view state;
  state::AccountRow row;  // empty where nothing is stored
  std::uint64_t seen = 0;
  std::uint64_t held_count = 0;
  std::vector<state::HeldRow> held;     // of text the first
  std::vector<std::string> held_names;  // what they are called
  std::string suspended;                // why the disk under its Maildir gets no mail
  std::optional<WallTime> deletion_waits_since;
  std::optional<Error> trouble;  // the stored account is another user's; its disk does not answer the daemon
};

std::string_view state_text(const config::Account& account, const state::AccountRow& row, bool suspended, bool syncing) {
  if (!account.enabled) return "disabled";
  if (syncing) return "syncing";
  if (row.needs_operator || suspended) return "needs_operator";
  if (row.consecutive_failures > 0) return "backing_off";
  return row.last_success ? "ok" : "never";
}

void look_at_held(AccountStatus& status, state::StateStore& store, bool all) {
  status.held_count = store.held_count(status.row.id);
  status.held = store.held(status.row.id, all ? UINT32_MAX : kHeldTold);
  if (!all) {
    for (const state::HeldRow& held : status.held)
      status.held_names.push_back(sync::message_name(held.uid, held.list_size, store.occurrence(held.id)));
  } else if (!status.held.empty()) {
    const sync::RowNames names(store.messages(status.row.id));
    for (const state::HeldRow& held : status.held) status.held_names.push_back(names.of(held.id, held.uid, held.list_size));
  }
}

// A daemon that does not run says nothing.
std::optional<Error> unanswered(state::StateStore* store, const std::string& account, bool daemon_runs) {
  const auto row = store == nullptr || !daemon_runs ? std::nullopt : store->unanswered(account);
  return row ? std::optional(does_not_answer(row->path, row->since)) : std::nullopt;
}

AccountStatus status_of(const StoredAccounts& accounts, state::StateStore* store, const config::Account& account, const Clock& clock, bool all_held,
                        bool daemon_runs) {
  AccountStatus status{.name = account.name,
                       .state = account.enabled ? "never" : "disabled",
                       .row = {},
                       .seen = 0,
                       .held_count = 0,
                       .held = {},
                       .held_names = {},
                       .suspended = {},
                       .deletion_waits_since = {},
                       .trouble = {}};
  try {
    if (account.enabled) status.trouble = unanswered(store, account.name, daemon_runs);
    if (status.trouble) status.state = "backing_off";
    const auto stored = accounts.of(account);
    if (!stored) return status;
    status.row = *stored;
    status.seen = store->seen_count(stored->id);
    look_at_held(status, *store, all_held);
    for (const state::MailstoreRow& row : store->mailstores(stored->id)) {
      if (row.path == mailstore_target(account).path) status.suspended = row.suspended;
    }
    status.deletion_waits_since = sync::deletion_waits_since(*store, clock, stored->id, sync_settings(account));
    if (!status.trouble)
      status.state = state_text(account, *stored, !status.suspended.empty(), state::account_holder(store->directory(), stored->id).has_value());
  } catch (const Error& error) {
    status.state = "needs_operator";
    status.trouble = error;
  }
  return status;
}

bool failing(const AccountStatus& status) {
  return status.trouble || !status.suspended.empty() || status.row.consecutive_failures > 0 || status.row.needs_operator;
}

int exit_status_of(const AccountStatus& status) {
  if (status.trouble) return exit_status(status.trouble->code());
  if (!status.suspended.empty()) return exit_status(ErrorCode::io_error);
  if (!status.row.last_error || status.row.consecutive_failures == 0) return 0;
  const auto code = error_code_named(status.row.last_error->code);
  return exit_status(code.value_or(ErrorCode::bug));
}

// Found now, and not by a session.
state::LastError as_last_error(const Error& error) {
  return {.at = system_clock().wall(), .code = std::string(name_of(error.code())), .message = error.message(), .hint = error.hint()};
}

Poco::Dynamic::Var last_error_json(const AccountStatus& status) {
  if (!status.trouble && !status.row.last_error) return {};
  const state::LastError last = status.trouble ? as_last_error(*status.trouble) : *status.row.last_error;
  auto error = json_object();
  error->set("at", rfc3339_utc(last.at));
  error->set("code", last.code);
  error->set("message", last.message);
  error->set("hint", last.hint);
  return error;
}

Poco::JSON::Object::Ptr as_json(const AccountStatus& status) {
  auto out = json_object();
  out->set("name", status.name);
  out->set("state", std::string(status.state));
  out->set("last_attempt", json_time(status.row.last_attempt));
  out->set("last_success", json_time(status.row.last_success));
  out->set("consecutive_failures", status.row.consecutive_failures);
  out->set("last_error", last_error_json(status));
  out->set("next_sync", json_time(status.row.next_sync));
  out->set("suspended", status.suspended.empty() ? Poco::Dynamic::Var() : Poco::Dynamic::Var(status.suspended));
  out->set("deletion_waits_since", json_time(status.deletion_waits_since));
  out->set("seen", status.seen);
  out->set("delivered_total", status.row.delivered_total);
  out->set("octets_total", status.row.octets_total);
  out->set("expire_days", status.row.expire_days ? Poco::Dynamic::Var(*status.row.expire_days) : Poco::Dynamic::Var());
  auto held = json_array();
  for (std::size_t i = 0; i < status.held.size(); ++i) {
    auto message = json_object();
    message->set("uid", status.held_names[i]);
    message->set("reason", status.held[i].reason);
    message->set("tries", status.held[i].tries);
    held->add(message);
  }
  out->set("held", held);
  return out;
}

// What starts the daemon; where there is nothing for it to do it would end at once.
std::string way_to_start(const Program& program) {
  if (std::ranges::none_of(program.config.accounts, &config::Account::enabled)) {
    const std::string none = program.config.accounts.empty() ? "no account is configured" : "no account is enabled";
    return none + ": describe one in " + escaped(program.paths.config_file);
  }
  return std::string("start it with: systemctl ") + (program.paths.system ? "" : "--user ") + "enable --now popsync";
}

void print_daemon(const Program& program, const std::optional<state::LockHolder>& daemon) {
  if (daemon) {
    std::cout << "popsync runs, pid " << daemon->pid << ", since " << rfc3339_utc(daemon->since) << '\n';
  } else {
    std::cout << "popsync does not run (" << way_to_start(program) << ")\n";
  }
}

// What is due may have to wait for another session, or has begun.
void print_next(const AccountStatus& status) {
  const std::optional<WallTime>& next = status.row.next_sync;
  if (!next) return;
  if (*next > system_clock().wall()) {
    std::cout << ", next " << rfc3339_utc(*next);
  } else if (status.state != "syncing") {
    std::cout << ", next now";
  }
}

void print_text(const AccountStatus& status, bool daemon_runs) {
  const state::AccountRow& row = status.row;
  std::cout << status.name << ": " << status.state;
  if (row.last_success) std::cout << ", last success " << rfc3339_utc(*row.last_success);
  if (daemon_runs) print_next(status);
  std::cout << "\n  " << counted(status.seen, "message") << " seen, " << row.delivered_total << " delivered (" << human_octets(row.octets_total)
            << "), " << status.held_count << " held\n";
  if (status.trouble) std::cout << "  " << status.trouble->what() << '\n';
  if (!status.suspended.empty()) std::cout << "  suspended: " << status.suspended << "\n    " << sync::suspension_hint(status.name) << '\n';
  if (status.deletion_waits_since) {
    std::cout << "  " << sync::deletion_waits_text(*status.deletion_waits_since) << "\n    " << sync::deletion_waits_hint() << '\n';
  }
  if (row.expire_days) std::cout << "  warning: " << expire_text(*row.expire_days) << '\n';
  if (row.last_error && row.consecutive_failures > 0) {
    std::cout << "  failed " << row.consecutive_failures << (row.consecutive_failures == 1 ? " time" : " times in a row") << ", last at "
              << rfc3339_utc(row.last_error->at) << ": " << row.last_error->message << '\n';
    if (!row.last_error->hint.empty()) std::cout << "    " << row.last_error->hint << '\n';
  }
  for (std::size_t i = 0; i < status.held.size(); ++i) {
    const state::HeldRow& message = status.held[i];
    std::cout << "  held " << status.held_names[i] << ": " << message.reason << (message.tries > 0 ? ", tries: " + std::to_string(message.tries) : "")
              << '\n';
  }
  if (status.held_count > status.held.size())
    std::cout << "  and " << status.held_count - status.held.size() << " more; `popsync status " << status.name << " --json` names them\n";
}

std::vector<const config::Account*> accounts_to_tell(const Program& program) {
  if (!program.options.accounts.empty()) return program.chosen_accounts();
  std::vector<const config::Account*> all;
  for (const config::Account& account : program.config.accounts) all.push_back(&account);
  return all;
}

}  // namespace

int cmd_status(Program& program) {
  const auto daemon = running_daemon(program.paths.state_dir);
  const auto store = state::StateStore::open_to_look(program.paths.state_dir);
  const StoredAccounts stored(store.get(), program);
  auto accounts = json_array();
  int worst = 0;
  if (!program.options.json) {
    print_daemon(program, daemon);
    if (store && store->is_copy_of_older())
      std::cout << "the state is that of an older popsync; the next sync or start of the daemon changes its tables\n";
  }
  for (const config::Account* account : accounts_to_tell(program)) {
    const AccountStatus status = status_of(stored, store.get(), *account, clock_of(program.config.daemon), program.options.json, daemon.has_value());
    if (account->enabled) worst = worse_exit_status(worst, exit_status_of(status));
    if (program.options.failing && !failing(status)) continue;
    if (program.options.json) {
      accounts->add(as_json(status));
    } else {
      print_text(status, daemon.has_value());
    }
  }
  if (program.options.json) {
    auto answer = json_answer();
    auto running = json_object();
    running->set("running", daemon.has_value());
    running->set("pid", daemon ? Poco::Dynamic::Var(daemon->pid) : Poco::Dynamic::Var());
    running->set("since", daemon ? Poco::Dynamic::Var(rfc3339_utc(daemon->since)) : Poco::Dynamic::Var());
    answer->set("daemon", running);
    answer->set("accounts", accounts);
    print_json(answer);
  }
  return program.options.exit_code ? worst : 0;
}

}  // namespace popsync
