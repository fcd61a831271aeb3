// SPDX-License-Identifier: MIT
// The table of messages: whole rows, or the part of each that somebody needs.

#include "state/columns.h"
#include "state/state_store_impl.h"

namespace popsync::state {
namespace {

MessageRow read_message(SQLite::Statement& row) {
  return {.id = row.getColumn(0).getInt64(),
          .state = static_cast<RowState>(row.getColumn(1).getInt()),
          .uid = pop3::UniqueId{octets_at(row.getColumn(2))},
          .list_size = number_at(row.getColumn(3)),
          .removable = flag_at(row.getColumn(4)),
          .suspect = flag_at(row.getColumn(5)),
          .stored_at = from_unix_seconds(row.getColumn(6).getInt64()),
          .stored_clock = row.getColumn(15).getInt64(),
          .absent_since = time_at(row.getColumn(7)),
          .absent_since_listing = number_at(row.getColumn(8)),
          .absent_clock = row.getColumn(16).getInt64(),
          .deletions = small_at(row.getColumn(9)),
          .tries = small_at(row.getColumn(10)),
          .dele_sent = flag_at(row.getColumn(11)),
          .has_message_id = flag_at(row.getColumn(12)),
          .top_broke = flag_at(row.getColumn(13)),
          .doubt = static_cast<Doubt>(row.getColumn(14).getInt())};
}

std::vector<FileRow> read_files(SQLite::Statement& row) {
  std::vector<FileRow> rows;
  while (row.executeStep()) {
    rows.push_back({.id = row.getColumn(0).getInt64(),
                    .mailstore = row.getColumn(1).getInt64(),
                    .name = row.getColumn(2).getString(),
                    .removable = flag_at(row.getColumn(3))});
  }
  return rows;
}

}  // namespace

std::vector<MessageRow> StateStore::messages(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<MessageRow> rows;
    SQLite::Statement& row = impl_->statement(
        "SELECT id, state, uid, list_size, removable, suspect, stored_at, absent_since, absent_since_listing, deletions, tries, dele_sent, "
        "has_message_id, top_broke, ifnull(kind, 0), stored_clock, absent_clock FROM message LEFT JOIN doubt ON message.id = doubt.message "
        "WHERE account = ? ORDER BY id");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    while (row.executeStep()) rows.push_back(read_message(row));
    return rows;
  });
}

std::vector<StagedRow> StateStore::staged(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<StagedRow> rows;
    // SQLite takes the index of the few staged and held rows only for a query that repeats the index's own condition; else it reads every row.
    SQLite::Statement& row = impl_->statement(
        "SELECT id, mailstore, name, stored_size, sha256, suspect, entry_offset, entry_length, entry_sha256 FROM message "
        "WHERE account = ? AND state = 0 AND state IN (0, 3) ORDER BY id");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    while (row.executeStep()) {
      rows.push_back({.id = row.getColumn(0).getInt64(),
                      .mailstore = row.getColumn(1).getInt64(),
                      .name = row.getColumn(2).getString(),
                      .stored_size = count_at(row.getColumn(3)),
                      .sha256 = octets_at(row.getColumn(4)),
                      .suspect = flag_at(row.getColumn(5)),
                      .entry = {.offset = count_at(row.getColumn(6)), .length = count_at(row.getColumn(7)), .sha256 = octets_at(row.getColumn(8))}});
    }
    return rows;
  });
}

std::vector<HeldRow> StateStore::held(std::string_view account_id, std::uint32_t count_max) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<HeldRow> rows;
    SQLite::Statement& row = impl_->statement(
        "SELECT id, uid, reason, tries, list_size FROM message WHERE account = ? AND state = 3 AND state IN (0, 3) ORDER BY id LIMIT ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.bind(2, static_cast<std::int64_t>(count_max));
    while (row.executeStep()) {
      rows.push_back({.id = row.getColumn(0).getInt64(),
                      .uid = pop3::UniqueId{octets_at(row.getColumn(1))},
                      .reason = row.getColumn(2).getString(),
                      .tries = small_at(row.getColumn(3)),
                      .list_size = number_at(row.getColumn(4))});
    }
    return rows;
  });
}

std::vector<PublishedRow> StateStore::published(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<PublishedRow> rows;
    SQLite::Statement& row =
        impl_->statement("SELECT id, mailstore, uid, name, unverified FROM message WHERE account = ? AND state = 1 AND name IS NOT NULL ORDER BY id");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    while (row.executeStep()) {
      rows.push_back({.id = row.getColumn(0).getInt64(),
                      .mailstore = row.getColumn(1).getInt64(),
                      .uid = pop3::UniqueId{octets_at(row.getColumn(2))},
                      .name = row.getColumn(3).getString(),
                      .unverified = flag_at(row.getColumn(4))});
    }
    return rows;
  });
}

std::vector<FileRow> StateStore::files_at(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement(
        "SELECT message.id, message.mailstore, message.name, message.removable FROM message JOIN mailstore ON message.mailstore = mailstore.id "
        "WHERE mailstore.path = ? AND message.name IS NOT NULL ORDER BY message.id");
    const ResetAtEnd reset(row);
    row.bind(1, path);
    return read_files(row);
  });
}

std::vector<FileRow> StateStore::files_of(RowId mailstore) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row =
        impl_->statement("SELECT id, mailstore, name, removable FROM message WHERE mailstore = ? AND name IS NOT NULL ORDER BY id");
    const ResetAtEnd reset(row);
    row.bind(1, mailstore);
    return read_files(row);
  });
}

std::optional<StoredPrints> StateStore::prints(RowId id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<StoredPrints> {
    SQLite::Statement& row =
        impl_->statement("SELECT wire_octets, stored_size, sha256, fingerprint, header_hash, has_message_id FROM message WHERE id = ?");
    const ResetAtEnd reset(row);
    row.bind(1, id);
    if (!row.executeStep()) return std::nullopt;
    return StoredPrints{.wire_octets = count_at(row.getColumn(0)),
                        .stored_size = count_at(row.getColumn(1)),
                        .sha256 = octets_at(row.getColumn(2)),
                        .fingerprint = octets_at(row.getColumn(3)),
                        .header_hash = octets_at(row.getColumn(4)),
                        .has_message_id = flag_at(row.getColumn(5))};
  });
}

std::vector<HeaderPrint> StateStore::header_prints(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<HeaderPrint> prints;
    SQLite::Statement& row = impl_->statement("SELECT id, header_hash FROM message WHERE account = ? AND length(header_hash) > 0");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    while (row.executeStep()) prints.push_back({.row = row.getColumn(0).getInt64(), .header_hash = octets_at(row.getColumn(1))});
    return prints;
  });
}

}  // namespace popsync::state
