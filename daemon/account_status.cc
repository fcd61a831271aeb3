// SPDX-License-Identifier: MIT
#include "account_status.h"

#include <iostream>

#include "account_disks.h"
#include "account_wiring.h"
#include "base/format.h"
#include "sync/clock_trouble.h"
#include "sync/row_names.h"
#include "sync/suspension.h"

namespace popsync {
namespace {

// As text; more is no text that somebody reads. JSON has them all.
constexpr std::uint32_t kHeldTold = 20;

std::string_view state_text(const state::AccountRow& row, bool suspended, bool syncing) {
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
std::optional<Error> unanswered(const StatusQuestion& question, const std::string& account) {
  const auto row = question.store == nullptr || !question.daemon_runs ? std::nullopt : question.store->unanswered(account);
  return row ? std::optional(does_not_answer(row->path, row->since)) : std::nullopt;
}

void look_at_row(AccountStatus& status, const StatusQuestion& question, const state::AccountRow& row) {
  state::StateStore& store = *question.store;
  status.row = row;
  status.seen = store.seen_count(row.id);
  look_at_held(status, store, question.all_held);
}

void judge(AccountStatus& status, const StatusQuestion& question) {
  const bool syncing = state::account_holder(question.store->directory(), status.row.id).has_value();
  status.state = status.trouble ? "backing_off" : state_text(status.row, !status.suspended.empty(), syncing);
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

}  // namespace

AccountStatus status_of(const StatusQuestion& question, const StoredAccounts& stored, const Program& program, const config::Account& account) {
  AccountStatus status{.name = account.name, .state = account.enabled ? "never" : "disabled"};
  try {
    if (account.enabled) status.trouble = unanswered(question, account.name);
    if (status.trouble) status.state = "backing_off";
    const auto row = stored.of(account);
    if (!row) return status;
    look_at_row(status, question, *row);
    for (const state::MailstoreRow& each : question.store->mailstores(row->id)) {
      if (each.path == mailstore_target(account).path) status.suspended = each.suspended;
    }
    status.deletion_waits_since = sync::deletion_waits_since(*question.store, clock_of(program.config.daemon), row->id, sync_settings(account));
    if (account.enabled) judge(status, question);
  } catch (const Error& error) {
    status.state = "needs_operator";
    status.trouble = error;
    if (error.code() != ErrorCode::account_identity) return status;
    // It is stopped because it has another user now: what is stored of the old one is not gone.
    if (const auto row = question.store->account_named(account.name)) look_at_row(status, question, *row);
  }
  return status;
}

AccountStatus status_of(const StatusQuestion& question, const state::AccountRow& row) {
  AccountStatus status{.name = row.name};
  status.trouble = unanswered(question, row.name);
  look_at_row(status, question, row);
  for (const state::MailstoreRow& each : question.store->mailstores(row.id)) status.suspended = each.suspended;  // the last one it has used
  judge(status, question);
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

}  // namespace popsync
