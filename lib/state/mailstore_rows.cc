// SPDX-License-Identifier: MIT
// The table of mailstores.

#include "state/columns.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {
namespace {

std::vector<MailstoreRow> read_mailstores(SQLite::Statement& row, const std::unordered_map<RowId, std::string>& suspended) {
  const ResetAtEnd reset(row);
  std::vector<MailstoreRow> rows;
  while (row.executeStep()) {
    rows.push_back({.id = row.getColumn("id").getInt64(),
                    .path = row.getColumn("path").getString(),
                    .store_id = row.getColumn("store_id").getString(),
                    .generation = count_at(row.getColumn("generation")),
                    .kind = static_cast<MailstoreKind>(row.getColumn("kind").getInt()),
                    .suspended = row.getColumn("suspended").getString(),
                    .sync_failures = small_at(row.getColumn("sync_failures"))});
    if (const auto mark = row.getColumn("unlearned_mark"); !mark.isNull()) {
      rows.back().unlearned = {
          .mark = mark.getInt64(),
          .met = {.wall = from_unix_seconds(row.getColumn("unlearned_at").getInt64()), .clock = row.getColumn("unlearned_clock").getInt64()}};
    }
    if (const auto found = suspended.find(rows.back().id); found != suspended.end()) rows.back().suspended = found->second;
  }
  return rows;
}

}  // namespace

std::vector<MailstoreRow> StateStore::mailstores(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement("SELECT * FROM mailstore WHERE account = ? ORDER BY id");
    row.bind(1, std::string(account_id));
    return read_mailstores(row, impl_->suspended);
  });
}

std::vector<MailstoreRow> StateStore::mailstores() {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] { return read_mailstores(impl_->statement("SELECT * FROM mailstore ORDER BY id"), impl_->suspended); });
}

RowId Transaction::insert_mailstore(std::string_view account, const std::string& path, const std::string& store_id, MailstoreKind kind) {
  hold_->run("INSERT INTO mailstore(account, path, store_id, kind) VALUES(?, ?, ?, ?)", [&](SQLite::Statement& row) {
    row.bind(1, std::string(account));
    row.bind(2, path);
    row.bind(3, store_id);
    row.bind(4, static_cast<int>(kind));
  });
  return hold_->impl.database.getLastInsertRowid();
}

void Transaction::set_mailstore_id(RowId mailstore, const std::string& store_id) {
  hold_->run("UPDATE mailstore SET store_id = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, store_id);
    row.bind(2, mailstore);
  });
}

void Transaction::set_generation(RowId mailstore, std::uint64_t generation) {
  hold_->run("UPDATE mailstore SET generation = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, signed_of(generation));
    row.bind(2, mailstore);
  });
}

void Transaction::move_mailstore(RowId mailstore, const std::string& path) {
  hold_->run("UPDATE mailstore SET path = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, path);
    row.bind(2, mailstore);
  });
}

void Transaction::merge_mailstores(RowId mailstore, RowId other) {
  hold_->run("UPDATE message SET mailstore = ? WHERE mailstore = ?", [&](SQLite::Statement& row) {
    row.bind(1, mailstore);
    row.bind(2, other);
  });
  hold_->run("DELETE FROM mailstore WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, other); });
}

void Transaction::lose_mailstore(RowId mailstore) {
  for (const char* sql : {"DELETE FROM message WHERE mailstore = ? AND state = 0",
                          "UPDATE message SET mailstore = NULL, removable = 0 WHERE mailstore = ?", "DELETE FROM mailstore WHERE id = ?"}) {
    hold_->run(sql, [&](SQLite::Statement& row) { row.bind(1, mailstore); });
  }
}

void Transaction::suspend(RowId mailstore, const std::string& reason) {
  hold_->run("UPDATE mailstore SET suspended = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, reason);
    row.bind(2, mailstore);
  });
}

void Transaction::resume(RowId mailstore) {
  hold_->run("UPDATE mailstore SET suspended = '', sync_failures = 0 WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, mailstore); });
  hold_->impl.suspended.erase(mailstore);
}

void Transaction::set_sync_failures(RowId mailstore, std::uint32_t failures) {
  hold_->run("UPDATE mailstore SET sync_failures = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, static_cast<std::int64_t>(failures));
    row.bind(2, mailstore);
  });
}

void Transaction::set_unlearned(RowId mailstore, std::int64_t mark, const ClockReading& met) {
  const ClockId clock = note_clock(met);
  hold_->run("UPDATE mailstore SET unlearned_mark = ?, unlearned_at = ?, unlearned_clock = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, mark);
    row.bind(2, to_unix_seconds(met.wall));
    row.bind(3, clock);
    row.bind(4, mailstore);
  });
}

}  // namespace popsync::state
