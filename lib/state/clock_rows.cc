// SPDX-License-Identifier: MIT
// The table of clocks: by which clock the times in the state were taken.

#include <algorithm>

#include "state/columns.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {
namespace {

constexpr const char* kNewest = "SELECT * FROM clocks ORDER BY id DESC LIMIT 1";

std::chrono::seconds whole_seconds(std::chrono::nanoseconds time) { return std::chrono::floor<std::chrono::seconds>(time); }

std::chrono::seconds offset_of(const ClockReading& now) { return whole_seconds(now.wall.time_since_epoch() - now.since_boot); }

ClockRow read_clock(SQLite::Statement& row) {
  ClockRow clock{.id = row.getColumn("id").getInt64(),
                 .boot_id = row.getColumn("boot_id").getString(),
                 .offset = std::chrono::seconds(row.getColumn("boot_offset").getInt64()),
                 .synchronised = flag_at(row.getColumn("synchronised")),
                 .true_offset = {},
                 .first_session = std::chrono::seconds(row.getColumn("first_session").getInt64()),
                 .since = from_unix_seconds(row.getColumn("since").getInt64()),
                 .begins = time_at(row.getColumn("begins")),
                 .begins_clock = row.getColumn("begins_clock").getInt64()};
  if (const auto column = row.getColumn("true_offset"); !column.isNull()) clock.true_offset = std::chrono::seconds(column.getInt64());
  return clock;
}

// `impl` and `hold` are types that only the members may name.
std::optional<ClockRow> newest_of(auto& impl) {
  SQLite::Statement& row = impl.statement(kNewest);
  const ResetAtEnd reset(row);
  if (!row.executeStep()) return std::nullopt;
  return read_clock(row);
}

void bind_offset(SQLite::Statement& row, int index, const std::optional<std::chrono::seconds>& offset) {
  if (offset) row.bind(index, static_cast<std::int64_t>(offset->count()));  // else NULL
}

void insert(auto& hold, const ClockRow& clock) {
  hold.run(
      "INSERT INTO clocks(id, boot_id, boot_offset, synchronised, true_offset, first_session, since, begins, begins_clock) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
      [&](SQLite::Statement& row) {
        row.bind(1, clock.id);
        row.bind(2, clock.boot_id);
        row.bind(3, static_cast<std::int64_t>(clock.offset.count()));
        row.bind(4, clock.synchronised ? 1 : 0);
        bind_offset(row, 5, clock.true_offset);
        row.bind(6, static_cast<std::int64_t>(clock.first_session.count()));
        row.bind(7, to_unix_seconds(clock.since));
        bind_time(row, 8, clock.begins);
        row.bind(9, clock.begins_clock);
      });
}

// The wall clock of this boot is right: the times of its other clocks can be put right by it. Of several right clocks the one that is ahead counts:
// it makes rows younger. Of a boot that ended without a right clock nobody knows how long ago it was, so its rows count from here.
void settle_others(auto& hold, const ClockRow& present, WallTime now) {
  hold.run("UPDATE clocks SET true_offset = max(ifnull(true_offset, ?1), ?1) WHERE boot_id = ?2 AND boot_id != '' AND id != ?3",
           [&](SQLite::Statement& row) {
             bind_offset(row, 1, present.true_offset);
             row.bind(2, present.boot_id);
             row.bind(3, present.id);
           });
  hold.run("UPDATE clocks SET begins = ?1, begins_clock = ?2 WHERE true_offset IS NULL AND begins IS NULL AND id != ?2", [&](SQLite::Statement& row) {
    row.bind(1, to_unix_seconds(now));
    row.bind(2, present.id);
  });
}

// Machines that are started for years leave clocks behind that no row names.
void drop_unused(auto& hold, ClockId newest) {
  hold.run(
      "DELETE FROM clocks WHERE id != ?1 AND (SELECT count(*) FROM clocks) > ?2 AND id NOT IN (SELECT 0 UNION SELECT stored_clock FROM message UNION "
      "SELECT absent_clock FROM message UNION SELECT begins_clock FROM clocks UNION SELECT unlearned_clock FROM mailstore)",
      [&](SQLite::Statement& row) {
        row.bind(1, newest);
        row.bind(2, static_cast<std::int64_t>(kClocksKept));
      });
}

}  // namespace

bool is_clock_of(const ClockRow& clock, const ClockReading& now) {
  return clock.boot_id == now.boot_id && clock.synchronised == now.synchronised && std::chrono::abs(clock.offset - offset_of(now)) <= kClockStep;
}

ClockRow clock_behind(const std::optional<ClockRow>& newest, const ClockReading& now) {
  ClockRow clock{.id = newest ? newest->id + 1 : 1,
                 .boot_id = now.boot_id,
                 .offset = offset_of(now),
                 .synchronised = now.synchronised,
                 .true_offset = {},
                 .first_session = whole_seconds(now.since_boot),
                 .since = now.wall};
  if (now.synchronised) clock.true_offset = clock.offset;
  if (!newest || newest->boot_id != now.boot_id || now.boot_id.empty()) return clock;
  clock.first_session = newest->first_session;
  if (newest->true_offset) clock.true_offset = std::max(clock.true_offset.value_or(*newest->true_offset), *newest->true_offset);
  if (newest->synchronised == clock.synchronised) clock.since = newest->since;
  return clock;
}

std::vector<ClockRow> StateStore::clocks() {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<ClockRow> clocks;
    SQLite::Statement& row = impl_->statement("SELECT * FROM clocks ORDER BY id");
    const ResetAtEnd reset(row);
    while (row.executeStep()) clocks.push_back(read_clock(row));
    return clocks;
  });
}

void StateStore::note_clock(const ClockReading& now) {
  {
    const std::lock_guard lock(impl_->mutex);
    const auto newest = guarded([&] { return newest_of(*impl_); });
    if (newest && is_clock_of(*newest, now)) return;
  }
  Transaction transaction = begin();
  transaction.note_clock(now);
  transaction.commit();
}

ClockId Transaction::note_clock(const ClockReading& now) {
  if (!hold_->clock) hold_->clock = guarded([&] { return newest_of(hold_->impl); });
  if (hold_->clock && is_clock_of(*hold_->clock, now)) return hold_->clock->id;
  const ClockRow present = clock_behind(hold_->clock, now);
  // Rows of popsync 0.1.0 have no clock: they count from the first one on.
  if (!hold_->clock) {
    ClockRow none;
    none.begins = now.wall;
    none.begins_clock = present.id;
    insert(*hold_, none);
  }
  insert(*hold_, present);
  if (present.synchronised) settle_others(*hold_, present, now.wall);
  drop_unused(*hold_, present.id);
  hold_->clock = present;
  return present.id;
}

void Transaction::restart_clock(ClockId clock, const ClockReading& now) {
  const ClockId present = note_clock(now);
  hold_->run("UPDATE clocks SET begins = ?1, begins_clock = ?2 WHERE id = ?3 AND id < ?2", [&](SQLite::Statement& row) {
    row.bind(1, to_unix_seconds(now.wall));
    row.bind(2, present);
    row.bind(3, clock);
  });
}

}  // namespace popsync::state
