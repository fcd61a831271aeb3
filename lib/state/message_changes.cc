// SPDX-License-Identifier: MIT
// The table of messages: each change that the life of a message knows.

#include "state/columns.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {

RowId Transaction::insert_staged(const NewStaged& message) {
  const ClockId clock = note_clock(message.at);
  hold_->run(
      "INSERT INTO message(account, mailstore, state, uid, list_size, wire_octets, stored_size, sha256, fingerprint, header_hash, has_message_id, "
      "name, suspect, stored_at, stored_clock) VALUES(?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      [&](SQLite::Statement& row) {
        int index = 0;
        row.bind(++index, message.account);
        row.bind(++index, message.mailstore);
        bind_octets(row, ++index, message.uid.octets);
        bind_number(row, ++index, message.list_size);
        row.bind(++index, signed_of(message.prints.wire_octets));
        row.bind(++index, signed_of(message.prints.stored_size));
        bind_octets(row, ++index, message.prints.sha256);
        bind_octets(row, ++index, message.prints.fingerprint);
        bind_octets(row, ++index, message.prints.header_hash);
        row.bind(++index, message.prints.has_message_id ? 1 : 0);
        row.bind(++index, message.name);
        row.bind(++index, message.suspect ? 1 : 0);
        row.bind(++index, to_unix_seconds(message.at.wall));
        row.bind(++index, clock);
      });
  const RowId id = hold_->impl.database.getLastInsertRowid();
  if (message.entry) set_entry(id, *message.entry);
  return id;
}

void Transaction::set_entry(RowId id, const EntryPlace& entry) {
  hold_->run("UPDATE message SET entry_offset = ?, entry_length = ?, entry_sha256 = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, signed_of(entry.offset));
    row.bind(2, signed_of(entry.length));
    bind_octets(row, 3, entry.sha256);
    row.bind(4, id);
  });
}

void Transaction::record_published(RowId id, bool removable, const ClockReading& at) {
  const ClockId clock = note_clock(at);
  hold_->run("UPDATE message SET state = 1, removable = ?, stored_at = ?, stored_clock = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, removable ? 1 : 0);
    row.bind(2, to_unix_seconds(at.wall));
    row.bind(3, clock);
    row.bind(4, id);
  });
}

void Transaction::record_unverified(RowId id, const ClockReading& at) {
  const ClockId clock = note_clock(at);
  hold_->run("UPDATE message SET state = 1, removable = 0, unverified = 1, stored_at = ?, stored_clock = ? WHERE id = ?",
             [&](SQLite::Statement& row) {
               row.bind(1, to_unix_seconds(at.wall));
               row.bind(2, clock);
               row.bind(3, id);
             });
}

RowId Transaction::insert_known(const NewKnown& message) {
  const ClockId clock = note_clock(message.at);
  hold_->run("INSERT INTO message(account, state, uid, list_size, stored_at, stored_clock, reason, tries) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
             [&](SQLite::Statement& row) {
               row.bind(1, message.account);
               row.bind(2, static_cast<int>(message.state));
               bind_octets(row, 3, message.uid.octets);
               bind_number(row, 4, message.list_size);
               row.bind(5, to_unix_seconds(message.at.wall));
               row.bind(6, clock);
               row.bind(7, message.reason);
               row.bind(8, static_cast<std::int64_t>(message.tries));
             });
  return hold_->impl.database.getLastInsertRowid();
}

void Transaction::insert_found(const NewStaged& message, bool removable) {
  const RowId id = insert_staged(message);
  hold_->run("UPDATE message SET state = 2, removable = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, removable ? 1 : 0);
    row.bind(2, id);
  });
}

void Transaction::set_mailstore(RowId id, RowId mailstore) {
  hold_->run("UPDATE message SET mailstore = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, mailstore);
    row.bind(2, id);
  });
}

void Transaction::set_tries(RowId id, const std::string& reason, std::uint32_t tries) {
  hold_->run("UPDATE message SET reason = ?, tries = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, reason);
    row.bind(2, static_cast<std::int64_t>(tries));
    row.bind(3, id);
  });
}

void Transaction::date_try(RowId id, const ClockReading& at) {
  const ClockId clock = note_clock(at);
  hold_->run("UPDATE message SET stored_at = ?, stored_clock = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, to_unix_seconds(at.wall));
    row.bind(2, clock);
    row.bind(3, id);
  });
}

void Transaction::retry_held(RowId id) {
  hold_->run("UPDATE message SET state = 3, tries = 0 WHERE id = ? AND state IN (3, 4)", [&](SQLite::Statement& row) { row.bind(1, id); });
}

void Transaction::skip_held(RowId id) {
  hold_->run("UPDATE message SET state = 4 WHERE id = ? AND state = 3", [&](SQLite::Statement& row) { row.bind(1, id); });
}

void Transaction::erase_message(RowId id) {
  hold_->run("DELETE FROM message WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, id); });
}

void Transaction::rename_message(RowId id, const std::string& name) {
  hold_->run("UPDATE message SET name = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, name);
    row.bind(2, id);
  });
}

void Transaction::set_list_size(RowId id, std::uint64_t list_size) {
  hold_->run("UPDATE message SET list_size = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, signed_of(list_size));
    row.bind(2, id);
  });
}

void Transaction::rekey_message(RowId id, const pop3::UniqueId& uid, std::optional<std::uint64_t> list_size) {
  hold_->run("UPDATE message SET uid = ?, list_size = ? WHERE id = ?", [&](SQLite::Statement& row) {
    bind_octets(row, 1, uid.octets);
    bind_number(row, 2, list_size);
    row.bind(3, id);
  });
}

void Transaction::set_removable(RowId id, bool removable) {
  hold_->run("UPDATE message SET removable = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, removable ? 1 : 0);
    row.bind(2, id);
  });
}

void Transaction::set_absent(RowId id, const std::optional<ClockReading>& since, std::uint64_t listing) {
  const ClockId clock = since ? note_clock(*since) : 0;
  hold_->run("UPDATE message SET absent_since = ?, absent_clock = ?, absent_since_listing = ? WHERE id = ?", [&](SQLite::Statement& row) {
    bind_time(row, 1, since ? std::optional(since->wall) : std::nullopt);
    row.bind(2, clock);
    bind_number(row, 3, since ? std::optional(listing) : std::nullopt);
    row.bind(4, id);
  });
}

void Transaction::set_doubt(RowId id, Doubt doubt) {
  if (doubt == Doubt::none) {
    hold_->run("DELETE FROM doubt WHERE message = ?", [&](SQLite::Statement& row) { row.bind(1, id); });
    return;
  }
  hold_->run("INSERT OR REPLACE INTO doubt(message, kind) VALUES(?, ?)", [&](SQLite::Statement& row) {
    row.bind(1, id);
    row.bind(2, static_cast<int>(doubt));
  });
}

void Transaction::doubt_all(std::string_view account) {
  hold_->run(
      "INSERT INTO doubt(message, kind) SELECT id, ?2 FROM message WHERE account = ?1 AND (state IN (0, 1) OR (state = 2 AND removable = 1)) "
      "ON CONFLICT(message) DO UPDATE SET kind = ?2 WHERE kind != ?3",
      [&](SQLite::Statement& row) {
        row.bind(1, std::string(account));
        row.bind(2, static_cast<int>(Doubt::outage));
        row.bind(3, static_cast<int>(Doubt::own));
      });
}

void Transaction::mark_top_broke(RowId id) {
  hold_->run("UPDATE message SET top_broke = 1 WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, id); });
}

void Transaction::mark_dele_sent(RowId id) {
  hold_->run("UPDATE message SET dele_sent = 1 WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, id); });
  set_doubt(id, Doubt::own);
}

void Transaction::count_deletion(RowId id) {
  hold_->run("UPDATE message SET deletions = deletions + 1 WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, id); });
}

}  // namespace popsync::state
