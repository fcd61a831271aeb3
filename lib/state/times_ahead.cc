// SPDX-License-Identifier: MIT
// Times of accounts that a clock which was ahead has left.

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "state/columns.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {
namespace {

std::chrono::seconds delay_of_plan(const AccountRow& account) {
  return account.next_sync_delay > std::chrono::seconds(0) ? account.next_sync_delay : kDelayUntold;
}

}  // namespace

std::optional<WallTime> latest_time_ahead(const AccountRow& account, WallTime now) {
  std::optional<WallTime> latest;
  const auto look = [&](const std::optional<WallTime>& time, WallTime most) {
    if (time && *time > most) latest = latest ? std::max(*latest, *time) : *time;
  };
  for (const auto& happened : {account.last_attempt, account.last_success, account.last_login, account.top_off_since})
    look(happened, now + kClockStep);
  if (account.last_error) look(account.last_error->at, now + kClockStep);
  look(account.next_sync, now + delay_of_plan(account));
  return latest;
}

bool StateStore::bring_times_back(std::span<const AccountRow> accounts, WallTime now) {
  WallTime latest{};
  std::vector<const AccountRow*> ahead;
  for (const AccountRow& account : accounts) {
    const auto time = latest_time_ahead(account, now);
    if (!time) continue;
    latest = std::max(latest, *time);
    ahead.push_back(&account);
  }
  if (ahead.empty()) return false;
  Transaction transaction = begin();
  for (const AccountRow* account : ahead) transaction.bring_times_back(account->id, now);
  transaction.commit();
  log_warning("", "the state tells of times ahead of the clock, up to " + rfc3339_utc(latest) + ": it was ahead once; they count from now");
  return true;
}

// By the row as it is in the database: another popsync may have changed it meanwhile.
void Transaction::bring_times_back(std::string_view account, WallTime now) {
  hold_->run(
      "UPDATE account SET last_attempt = iif(last_attempt > ?2, ?1, last_attempt), last_success = iif(last_success > ?2, ?1, last_success), "
      "error_at = iif(error_at > ?2, ?1, error_at), last_login = iif(last_login > ?2, ?1 + 1, last_login), "
      "top_off_since = iif(top_off_since > ?2, ?1, top_off_since), next_sync = min(next_sync, ?1 + iif(next_sync_delay > 0, next_sync_delay, ?3)) "
      "WHERE id = ?4",
      [&](SQLite::Statement& row) {
        row.bind(1, to_unix_seconds(now));
        row.bind(2, to_unix_seconds(now + kClockStep));
        row.bind(3, static_cast<std::int64_t>(std::chrono::seconds(kDelayUntold).count()));
        row.bind(4, std::string(account));
      });
}

}  // namespace popsync::state
