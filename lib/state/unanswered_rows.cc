// SPDX-License-Identifier: MIT
#include <SQLiteCpp/SQLiteCpp.h>

#include "state/columns.h"
#include "state/state_store.h"
#include "state/state_store_impl.h"
#include "state/transaction.h"
#include "state/transaction_hold.h"

namespace popsync::state {

std::optional<UnansweredRow> StateStore::unanswered(std::string_view account_name) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<UnansweredRow> {
    if (!impl_->database.tableExists("unanswered")) return std::nullopt;  // of an older popsync, which runs perhaps
    SQLite::Statement& row = impl_->statement("SELECT since, path FROM unanswered WHERE account_name = ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_name));
    if (!row.executeStep()) return std::nullopt;
    return UnansweredRow{.since = from_unix_seconds(row.getColumn(0).getInt64()), .path = row.getColumn(1).getString()};
  });
}

void Transaction::set_unanswered(std::string_view account_name, const std::optional<UnansweredRow>& unanswered) {
  if (!unanswered) {
    hold_->run("DELETE FROM unanswered WHERE account_name = ?", [&](SQLite::Statement& row) { row.bind(1, std::string(account_name)); });
    return;
  }
  hold_->run("INSERT OR REPLACE INTO unanswered(account_name, since, path) VALUES(?, ?, ?)", [&](SQLite::Statement& row) {
    row.bind(1, std::string(account_name));
    row.bind(2, to_unix_seconds(unanswered->since));
    row.bind(3, unanswered->path);
  });
}

void Transaction::forget_unanswered() {
  hold_->run("DELETE FROM unanswered", [](SQLite::Statement&) {});
}

}  // namespace popsync::state
