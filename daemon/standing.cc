// SPDX-License-Identifier: MIT
#include "standing.h"

#include "account_wiring.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/format.h"
#include "base/log.h"
#include "base/random.h"
#include "file_condition.h"
#include "schedule/scheduler.h"
#include "state/transaction.h"
#include "sync/account_identity.h"
#include "sync/lost_state.h"
#include "sync/outcome.h"

namespace popsync {
namespace {

std::vector<std::string> files_of_secret(const secrets::SecretSpec& secret, const config::Config& config) {
  switch (secret.kind) {
    case secrets::SourceKind::literal: return config.files;
    case secrets::SourceKind::file: return {secret.value};
    case secrets::SourceKind::credential: {
      const auto path = secrets::credential_path(secret.value);
      return path ? std::vector{*path} : std::vector<std::string>();
    }
    case secrets::SourceKind::none:
    case secrets::SourceKind::command:
    case secrets::SourceKind::environment: break;
  }
  return {};
}

}  // namespace

std::string tried_with(const config::Account& account, const config::Config& config) {
  std::string text = scheduled(account).revision;
  for (const std::string& file : files_of_secret(account.secret, config)) text += condition_of(file);
  return to_hex(sha256(text)).substr(0, 16);
}

schedule::Standing standing_of(const state::AccountRow& row, const std::string& tried_with) {
  if (row.tried_with != tried_with) return {};
  schedule::Standing standing{
      .needs_operator = row.needs_operator, .failures = row.consecutive_failures, .last_error = {}, .next_sync = row.next_sync};
  if (row.last_error) standing.last_error = error_code_named(row.last_error->code).value_or(ErrorCode::bug);
  return standing;
}

Error left_out(const state::AccountRow& row) {
  POPSYNC_ASSERT(row.last_error);
  const std::string later = row.next_sync ? ", without a word of yours it is tried again from " + rfc3339_utc(*row.next_sync) + " on" : "";
  return {error_code_named(row.last_error->code).value_or(ErrorCode::bug),
          (row.needs_operator ? "not tried, it needs an operator: " : "not tried again yet: ") + row.last_error->message,
          "`popsync sync " + row.name + "` tries it at once" + later};
}

void record_plan(state::StateStore& store, const config::Account& account, const schedule::Standing& before, const sync::SyncReport& report) {
  // A success is recorded as such; where another popsync holds the account, that one plans.
  if (report.result != sync::SyncResult::error || report.error->code() == ErrorCode::lock_held) return;
  const Clock& clock = system_clock();
  schedule::Account known = scheduled(account);
  known.standing = before;
  schedule::AccountPlan plan(known, clock.wall(), clock.steady());
  const SteadyTime now = clock.steady();
  const auto due = plan.record(
      {.error = report.error->code(), .login_delay = report.login_delay, .secret_worked = report.secret_worked, .refusals = report.refusals},
      account.interval, now, schedule::random_fraction());
  std::optional<WallTime> next_sync;
  std::chrono::seconds delay{};
  if (due) {
    next_sync = clock.wall() + std::chrono::duration_cast<WallTime::duration>(*due - now);
    delay = std::chrono::ceil<std::chrono::seconds>(*due - now);
  }
  try {
    const auto row = store.account_named(account.name);
    if (!row || (!plan.needs_operator() && !plan.refused() && !row->needs_operator)) return;
    auto transaction = store.begin();
    transaction.set_plan(account.name, next_sync, delay, plan.needs_operator());
    transaction.commit();
  } catch (const Error& error) {
    log_warning(account.name, error.what());
  }
}

void record_unanswered(state::StateStore& store, const config::Account& account, const std::vector<std::string>& configured_names,
                       const Error& error) {
  sync::SyncReport report;
  report.account = account.name;
  report.result = sync::SyncResult::error;
  report.error = error;
  try {
    const state::AccountRow row = sync::resolve_account(store, sync::configured_mailstore(sync_settings(account)).account, configured_names);
    const state::ServerMemory server = store.server_memory(row.id);
    sync::record_outcome(store, system_clock(), {row, server}, {row, server}, report);
  } catch (const Error& trouble) {
    log_warning(account.name, trouble.what());
  }
}

void forgive(state::StateStore& store, const std::string& account_name) {
  const auto row = store.account_named(account_name);
  if (!row || (!row->needs_operator && !row->next_sync)) return;
  auto transaction = store.begin();
  transaction.set_plan(account_name, std::nullopt, {}, false);
  transaction.commit();
}

}  // namespace popsync
