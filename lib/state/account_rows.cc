// SPDX-License-Identifier: MIT
// The table of accounts.

#include "state/columns.h"
#include "state/state_store_impl.h"

namespace popsync::state {
namespace {

AccountRow read_account(SQLite::Statement& row) {
  AccountRow account;
  account.id = row.getColumn("id").getString();
  account.name = row.getColumn("name").getString();
  account.host = row.getColumn("host").getString();
  account.user = row.getColumn("user").getString();
  account.last_attempt = time_at(row.getColumn("last_attempt"));
  account.last_success = time_at(row.getColumn("last_success"));
  account.consecutive_failures = small_at(row.getColumn("consecutive_failures"));
  if (const auto at = time_at(row.getColumn("error_at"))) {
    account.last_error = LastError{.at = *at,
                                   .code = row.getColumn("error_code").getString(),
                                   .message = row.getColumn("error_message").getString(),
                                   .hint = row.getColumn("error_hint").getString()};
  }
  account.next_sync = time_at(row.getColumn("next_sync"));
  account.needs_operator = flag_at(row.getColumn("needs_operator"));
  account.secret_worked = flag_at(row.getColumn("secret_worked"));
  account.delivered_total = count_at(row.getColumn("delivered_total"));
  account.octets_total = count_at(row.getColumn("octets_total"));
  account.complete_listings = count_at(row.getColumn("complete_listings"));
  account.last_listing_count = count_at(row.getColumn("last_listing_count"));
  account.equal_settlements = small_at(row.getColumn("equal_settlements"));
  account.rekeyings = small_at(row.getColumn("rekeyings"));
  account.top_fails = flag_at(row.getColumn("top_fails"));
  account.surprises = small_at(row.getColumn("surprises"));
  if (const auto column = row.getColumn("expire_days"); !column.isNull()) account.expire_days = small_at(column);
  account.marker = row.getColumn("marker").getString();
  account.policy = row.getColumn("policy").getString();
  return account;
}

}  // namespace

std::vector<AccountRow> StateStore::accounts() {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<AccountRow> accounts;
    SQLite::Statement& row = impl_->statement("SELECT * FROM account ORDER BY name");
    const ResetAtEnd reset(row);
    while (row.executeStep()) accounts.push_back(read_account(row));
    return accounts;
  });
}

std::optional<AccountRow> StateStore::account(std::string_view id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<AccountRow> {
    SQLite::Statement& row = impl_->statement("SELECT * FROM account WHERE id = ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(id));
    if (!row.executeStep()) return std::nullopt;
    return read_account(row);
  });
}

std::optional<AccountRow> StateStore::account_named(std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<AccountRow> {
    SQLite::Statement& row = impl_->statement("SELECT * FROM account WHERE name = ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(name));
    if (!row.executeStep()) return std::nullopt;
    return read_account(row);
  });
}

}  // namespace popsync::state
