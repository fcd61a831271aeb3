// SPDX-License-Identifier: MIT
// The table of mailstores.

#include "state/columns.h"
#include "state/state_store_impl.h"

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

}  // namespace popsync::state
