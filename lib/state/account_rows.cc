// SPDX-License-Identifier: MIT
// The table of accounts.

#include "state/columns.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {
namespace {

AccountRow read_account(SQLite::Statement& row) {
  AccountRow account;
  account.id = row.getColumn("id").getString();
  account.name = row.getColumn("name").getString();
  account.host = row.getColumn("host").getString();
  account.user = row.getColumn("user").getString();
  account.port = static_cast<std::uint16_t>(small_at(row.getColumn("port")));
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
  account.next_sync_delay = std::chrono::seconds(row.getColumn("next_sync_delay").getInt64());
  account.needs_operator = flag_at(row.getColumn("needs_operator"));
  account.secret_worked = flag_at(row.getColumn("secret_worked"));
  account.delivered_total = count_at(row.getColumn("delivered_total"));
  account.octets_total = count_at(row.getColumn("octets_total"));
  account.complete_listings = count_at(row.getColumn("complete_listings"));
  account.last_listing_count = count_at(row.getColumn("last_listing_count"));
  account.equal_settlements = small_at(row.getColumn("equal_settlements"));
  account.rekeyings = small_at(row.getColumn("rekeyings"));
  account.top_breaks = small_at(row.getColumn("top_breaks"));
  account.top_differences = small_at(row.getColumn("top_differences"));
  account.top_off_since = time_at(row.getColumn("top_off_since"));
  account.surprises = small_at(row.getColumn("surprises"));
  if (const auto column = row.getColumn("expire_days"); !column.isNull()) account.expire_days = small_at(column);
  account.login_delay = std::chrono::seconds(small_at(row.getColumn("login_delay")));
  account.last_login = time_at(row.getColumn("last_login"));
  account.refusals = small_at(row.getColumn("refusals"));
  account.tried_with = row.getColumn("tried_with").getString();
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

std::vector<AccountRow> StateStore::accounts_akin(std::string_view name, std::string_view user) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<AccountRow> accounts;
    SQLite::Statement& row = impl_->statement("SELECT * FROM account WHERE name = ? OR user = ? ORDER BY name");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(name));
    row.bind(2, std::string(user));
    while (row.executeStep()) accounts.push_back(read_account(row));
    return accounts;
  });
}

void Transaction::insert_account(const AccountRow& account) {
  hold_->run("INSERT INTO account(id, name, host, user, port) VALUES(?, ?, ?, ?, ?)", [&](SQLite::Statement& row) {
    row.bind(1, account.id);
    row.bind(2, account.name);
    row.bind(3, account.host);
    row.bind(4, account.user);
    row.bind(5, static_cast<int>(account.port));
  });
}

void Transaction::update_account(const AccountRow& account) {
  hold_->run(
      "UPDATE account SET name = ?, host = ?, user = ?, port = ?, last_attempt = ?, last_success = ?, consecutive_failures = ?, error_at = ?, "
      "error_code = ?, "
      "error_message = ?, error_hint = ?, needs_operator = ?, secret_worked = ?, "
      "complete_listings = ?, last_listing_count = ?, equal_settlements = ?, rekeyings = ?, top_breaks = ?, top_differences = ?, top_off_since = ?, "
      "surprises = ?, expire_days = ?, login_delay = ?, last_login = ?, refusals = ?, tried_with = ?, marker = ?, policy = ? WHERE id = ?",
      [&](SQLite::Statement& row) {
        const auto& error = account.last_error;
        int index = 0;
        row.bind(++index, account.name);
        row.bind(++index, account.host);
        row.bind(++index, account.user);
        row.bind(++index, static_cast<int>(account.port));
        bind_time(row, ++index, account.last_attempt);
        bind_time(row, ++index, account.last_success);
        row.bind(++index, static_cast<std::int64_t>(account.consecutive_failures));
        bind_time(row, ++index, error ? std::optional(error->at) : std::nullopt);
        row.bind(++index, error ? error->code : "");
        row.bind(++index, error ? error->message : "");
        row.bind(++index, error ? error->hint : "");
        row.bind(++index, account.needs_operator ? 1 : 0);
        row.bind(++index, account.secret_worked ? 1 : 0);
        row.bind(++index, signed_of(account.complete_listings));
        row.bind(++index, signed_of(account.last_listing_count));
        row.bind(++index, static_cast<std::int64_t>(account.equal_settlements));
        row.bind(++index, static_cast<std::int64_t>(account.rekeyings));
        row.bind(++index, static_cast<std::int64_t>(account.top_breaks));
        row.bind(++index, static_cast<std::int64_t>(account.top_differences));
        bind_time(row, ++index, account.top_off_since);
        row.bind(++index, static_cast<std::int64_t>(account.surprises));
        ++index;  // not bound: NULL
        if (account.expire_days) row.bind(index, static_cast<std::int64_t>(*account.expire_days));
        row.bind(++index, static_cast<std::int64_t>(account.login_delay.count()));
        bind_time(row, ++index, account.last_login);
        row.bind(++index, static_cast<std::int64_t>(account.refusals));
        row.bind(++index, account.tried_with);
        row.bind(++index, account.marker);
        row.bind(++index, account.policy);
        row.bind(++index, account.id);
      });
}

void Transaction::add_delivered(std::string_view account, std::uint64_t messages, std::uint64_t octets) {
  hold_->run("UPDATE account SET delivered_total = delivered_total + ?, octets_total = octets_total + ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, signed_of(messages));
    row.bind(2, signed_of(octets));
    row.bind(3, std::string(account));
  });
}

void Transaction::set_plan(std::string_view account_name, std::optional<WallTime> next_sync, std::chrono::seconds delay, bool needs_operator) {
  hold_->run("UPDATE account SET next_sync = ?, next_sync_delay = ?, needs_operator = ? WHERE name = ?", [&](SQLite::Statement& row) {
    bind_time(row, 1, next_sync);
    row.bind(2, next_sync ? static_cast<std::int64_t>(delay.count()) : 0);
    row.bind(3, needs_operator ? 1 : 0);
    row.bind(4, std::string(account_name));
  });
}

void Transaction::note_success(std::string_view account_name, WallTime at) {
  hold_->run(
      "UPDATE account SET last_attempt = ?1, last_success = ?1 "
      "WHERE name = ?2 AND consecutive_failures = 0 AND (last_attempt IS NULL OR last_attempt < ?1)",
      [&](SQLite::Statement& row) {
        bind_time(row, 1, at);
        row.bind(2, std::string(account_name));
      });
}

void Transaction::forget_account(std::string_view id) {
  for (const char* sql : {"DELETE FROM message WHERE account = ?", "DELETE FROM mailstore WHERE account = ?", "DELETE FROM account WHERE id = ?"}) {
    hold_->run(sql, [&](SQLite::Statement& row) { row.bind(1, std::string(id)); });
  }
}

}  // namespace popsync::state
