// SPDX-License-Identifier: MIT
// The table of messages: single questions, each answered by one row, one number or a yes.

#include <algorithm>
#include <limits>

#include "state/columns.h"
#include "state/state_store_impl.h"

namespace popsync::state {
namespace {

std::int64_t bounded(std::uint64_t number) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace

std::size_t StateStore::occurrence(RowId id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement(
        "SELECT count(*) FROM message AS it JOIN message AS other ON other.account = it.account AND other.uid = it.uid AND other.id <= it.id "
        "WHERE it.id = ? AND (length(it.uid) > 0 OR (other.state IN (3, 4) AND other.list_size = it.list_size))");
    const ResetAtEnd reset(row);
    row.bind(1, id);
    row.executeStep();
    return static_cast<std::size_t>(count_at(row.getColumn(0)));
  });
}

bool StateStore::knows(std::string_view account_id, const pop3::UniqueId& uid) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement("SELECT EXISTS(SELECT 1 FROM message WHERE account = ? AND uid = ?)");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.bind(2, uid.octets.data(), static_cast<int>(uid.octets.size()));
    row.executeStep();
    return flag_at(row.getColumn(0));
  });
}

bool StateStore::has(std::string_view account_id, const DueWork& work) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement(
        "SELECT EXISTS(SELECT 1 FROM message WHERE account = ?1 AND state = 0 AND state IN (0, 3)) "
        "OR EXISTS(SELECT 1 FROM message WHERE account = ?1 AND state = 3 AND state IN (0, 3) AND absent_since IS NULL AND tries < ?2 AND "
        "ifnull(list_size, 0) <= ?3)");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.bind(2, static_cast<std::int64_t>(work.tries_max));
    row.bind(3, bounded(work.message_size_max));
    row.executeStep();
    return flag_at(row.getColumn(0));
  });
}

std::uint64_t StateStore::held_count(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement("SELECT count(*) FROM message WHERE account = ? AND state = 3 AND state IN (0, 3)");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.executeStep();
    return count_at(row.getColumn(0));
  });
}

std::vector<TakenTime> StateStore::oldest_removable(std::string_view account_id, const Removable& which) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<TakenTime> oldest;
    // From clock to clock through the index: a GROUP BY would read every row.
    SQLite::Statement& row = impl_->statement(
        "SELECT stored_clock, (SELECT min(stored_at) FROM message WHERE account = ?1 AND removable = 1 AND absent_since IS NULL AND "
        "stored_clock = next.stored_clock AND deletions < ?3 AND tries < ?4 AND ifnull(list_size, 0) <= ?5) FROM message AS next WHERE account = ?1 "
        "AND removable = 1 AND absent_since IS NULL "
        "AND stored_clock > ?2 ORDER BY stored_clock LIMIT 1");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.bind(3, static_cast<std::int64_t>(which.deletions_max));
    row.bind(4, static_cast<std::int64_t>(which.tries_max));
    row.bind(5, bounded(which.message_size_max));
    for (ClockId last = -1;;) {
      row.bind(2, last);
      if (!row.executeStep()) return oldest;
      last = row.getColumn(0).getInt64();
      if (const auto at = time_at(row.getColumn(1))) oldest.push_back({.wall = *at, .clock = last});
      row.reset();
    }
  });
}

std::uint64_t StateStore::seen_count(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    SQLite::Statement& row = impl_->statement("SELECT count(*) FROM message WHERE account = ? AND state != 3");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.executeStep();
    return count_at(row.getColumn(0));
  });
}

std::optional<StateStore::Found> StateStore::find_by_sha256(std::string_view account_id, std::string_view sha256) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<Found> {
    SQLite::Statement& row =
        impl_->statement("SELECT id, removable, deletions FROM message WHERE account = ? AND state = 1 AND length(uid) = 0 AND sha256 = ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.bind(2, sha256.data(), static_cast<int>(sha256.size()));
    if (!row.executeStep()) return std::nullopt;
    return Found{.id = row.getColumn(0).getInt64(), .removable = flag_at(row.getColumn(1)), .deletions = small_at(row.getColumn(2))};
  });
}

std::optional<StateStore::Stored> StateStore::find_published(RowId mailstore, const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<Stored> {
    SQLite::Statement& row = impl_->statement("SELECT id, sha256, unverified FROM message WHERE mailstore = ? AND state = 1 AND name = ?");
    const ResetAtEnd reset(row);
    row.bind(1, mailstore);
    row.bind(2, name);
    if (!row.executeStep()) return std::nullopt;
    return Stored{.id = row.getColumn(0).getInt64(), .sha256 = octets_at(row.getColumn(1)), .unverified = row.getColumn(2).getInt() != 0};
  });
}

}  // namespace popsync::state
