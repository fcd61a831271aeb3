// SPDX-License-Identifier: MIT
#include "state/transaction.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "state/state_store_impl.h"

namespace popsync::state {
namespace {

constexpr int kLogPagesMax = 4096;  // 16 MiB: then the log is moved into the database

void bind_octets(SQLite::Statement& row, int index, std::string_view octets) {
  // An empty blob, not NULL: sqlite takes a null pointer for NULL.
  row.bind(index, octets.empty() ? static_cast<const void*>("") : octets.data(), static_cast<int>(octets.size()));
}

void bind_number(SQLite::Statement& row, int index, std::optional<std::uint64_t> value) {
  if (value) {
    row.bind(index, static_cast<std::int64_t>(*value));
  } else {
    row.bind(index);
  }
}

void bind_time(SQLite::Statement& row, int index, std::optional<WallTime> value) {
  if (value) {
    row.bind(index, to_unix_seconds(*value));
  } else {
    row.bind(index);
  }
}

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// SQLite knows ENOSPC; a quota comes as a failed write of the log. Both end before the log's last frame is whole, so nothing was committed. `number`
// is errno after COMMIT: sqlite3_system_errno() does not learn it from COMMIT in SQLite 3.40. What overwrites it makes the outcome unknown, which is
// safe.
bool full(int code, sqlite3* handle, int number) {
  if ((code & 0xFF) == SQLITE_FULL) return true;
  return code != SQLITE_OK && sqlite3_extended_errcode(handle) == SQLITE_IOERR_WRITE && number == EDQUOT;
}

// After this COMMIT nobody knows whether the rows are there: touching any file now could double or lose a message. The next start looks at the disk.
[[noreturn]] void end_with_unknown_outcome(int code) {
  log_error(
      "",
      std::string("state.db: COMMIT failed and its outcome is unknown (") + sqlite3_errstr(code) +
          "); stopping at once, nothing more was touched; look at the disk of the state directory, then start popsync again: it recovers by itself");
  ::_exit(exit_status(ErrorCode::io_error));
}

}  // namespace

struct Transaction::Hold {
  explicit Hold(StateStore::Impl& store) : impl(store), mutex(store.mutex), commits(store.lock_commits()) {}

  template <typename Work>
  void run(const char* sql, Work&& bind) {
    guarded([&] {
      SQLite::Statement& row = impl.statement(sql);
      bind(row);
      row.exec();
    });
  }

  StateStore::Impl& impl;
  std::unique_lock<std::mutex> mutex;
  FileLock commits;
  bool open = true;
};

Transaction::Transaction(StateStore::Impl& impl) : hold_(std::make_unique<Hold>(impl)) {
  guarded([&] { impl.database.exec("BEGIN IMMEDIATE"); });
}

Transaction::Transaction(Transaction&&) noexcept = default;

Transaction::~Transaction() {
  if (!hold_ || !hold_->open) return;
  // Statements are reset before ROLLBACK, which an unfinished one would make fail. Nothing to do about a failure: the transaction is gone either way.
  for (auto& [sql, statement] : hold_->impl.statements) statement.tryReset();
  hold_->impl.database.tryExec("ROLLBACK");
}

void Transaction::insert_account(const AccountRow& account) {
  hold_->run("INSERT INTO account(id, name, host, user) VALUES(?, ?, ?, ?)", [&](SQLite::Statement& row) {
    row.bind(1, account.id);
    row.bind(2, account.name);
    row.bind(3, account.host);
    row.bind(4, account.user);
  });
}

void Transaction::update_account(const AccountRow& account) {
  hold_->run(
      "UPDATE account SET name = ?, host = ?, user = ?, last_attempt = ?, last_success = ?, consecutive_failures = ?, error_at = ?, error_code = ?, "
      "error_message = ?, error_hint = ?, needs_operator = ?, secret_worked = ?, "
      "complete_listings = ?, last_listing_count = ?, equal_settlements = ?, rekeyings = ?, top_fails = ?, "
      "surprises = ?, expire_days = ?, login_delay = ?, last_login = ?, refusals = ?, tried_with = ?, marker = ?, policy = ? WHERE id = ?",
      [&](SQLite::Statement& row) {
        const auto& error = account.last_error;
        int index = 0;
        row.bind(++index, account.name);
        row.bind(++index, account.host);
        row.bind(++index, account.user);
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
        row.bind(++index, account.top_fails ? 1 : 0);
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

void Transaction::remember_server(std::string_view account, const ServerMemory& memory) {
  hold_->run(
      "INSERT OR REPLACE INTO server_memory(account, failures_ahead, capabilities_where, before_login, after_login, capabilities_asked, "
      "listing_policy, listing_count, listing_octets, listing_last, listing_completed, listing_looks) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      [&](SQLite::Statement& row) {
        row.bind(1, std::string(account));
        row.bind(2, static_cast<std::int64_t>(memory.failures_ahead));
        if (memory.capabilities) {
          row.bind(3, memory.capabilities->where);
          bind_octets(row, 4, memory.capabilities->before_login);
          bind_octets(row, 5, memory.capabilities->after_login);
          bind_time(row, 6, memory.capabilities->asked);
        }
        if (memory.listing) {
          row.bind(7, memory.listing->policy);
          row.bind(8, signed_of(memory.listing->count));
          row.bind(9, signed_of(memory.listing->octets));
          bind_octets(row, 10, memory.listing->last.octets);
          bind_time(row, 11, memory.listing->completed);
          row.bind(12, static_cast<std::int64_t>(memory.listing->looks));
        }
      });
}

void Transaction::set_plan(std::string_view account_name, std::optional<WallTime> next_sync, bool needs_operator) {
  hold_->run("UPDATE account SET next_sync = ?, needs_operator = ? WHERE name = ?", [&](SQLite::Statement& row) {
    bind_time(row, 1, next_sync);
    row.bind(2, needs_operator ? 1 : 0);
    row.bind(3, std::string(account_name));
  });
}

void Transaction::forget_account(std::string_view id) {
  for (const char* sql : {"DELETE FROM message WHERE account = ?", "DELETE FROM mailstore WHERE account = ?", "DELETE FROM account WHERE id = ?"}) {
    hold_->run(sql, [&](SQLite::Statement& row) { row.bind(1, std::string(id)); });
  }
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

RowId Transaction::insert_staged(const NewStaged& message) {
  hold_->run(
      "INSERT INTO message(account, mailstore, state, uid, list_size, wire_octets, stored_size, sha256, fingerprint, header_hash, has_message_id, "
      "name, suspect, stored_at) VALUES(?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        row.bind(++index, to_unix_seconds(message.at));
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

void Transaction::record_published(RowId id, bool removable, WallTime at) {
  hold_->run("UPDATE message SET state = 1, removable = ?, stored_at = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, removable ? 1 : 0);
    row.bind(2, to_unix_seconds(at));
    row.bind(3, id);
  });
}

void Transaction::record_unverified(RowId id, WallTime at) {
  hold_->run("UPDATE message SET state = 1, removable = 0, unverified = 1, stored_at = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, to_unix_seconds(at));
    row.bind(2, id);
  });
}

void Transaction::insert_known(const NewKnown& message) {
  hold_->run("INSERT INTO message(account, state, uid, list_size, stored_at, reason, tries) VALUES(?, ?, ?, ?, ?, ?, ?)",
             [&](SQLite::Statement& row) {
               row.bind(1, message.account);
               row.bind(2, static_cast<int>(message.state));
               bind_octets(row, 3, message.uid.octets);
               bind_number(row, 4, message.list_size);
               row.bind(5, to_unix_seconds(message.at));
               row.bind(6, message.reason);
               row.bind(7, static_cast<std::int64_t>(message.tries));
             });
}

void Transaction::insert_found(const NewStaged& message, bool removable) {
  const RowId id = insert_staged(message);
  hold_->run("UPDATE message SET state = 2, removable = ? WHERE id = ?", [&](SQLite::Statement& row) {
    row.bind(1, removable ? 1 : 0);
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

void Transaction::set_absent(RowId id, std::optional<WallTime> since, std::uint64_t listing) {
  hold_->run("UPDATE message SET absent_since = ?, absent_since_listing = ? WHERE id = ?", [&](SQLite::Statement& row) {
    bind_time(row, 1, since);
    bind_number(row, 2, since ? std::optional(listing) : std::nullopt);
    row.bind(3, id);
  });
}

void Transaction::count_deletion(RowId id) {
  hold_->run("UPDATE message SET deletions = deletions + 1 WHERE id = ?", [&](SQLite::Statement& row) { row.bind(1, id); });
}

void Transaction::commit() {
  for (auto& [sql, statement] : hold_->impl.statements) statement.tryReset();
  errno = 0;
  const int code = hold_->impl.database.tryExec("COMMIT");
  if (full(code, hold_->impl.database.getHandle(), errno)) throw Error(ErrorCode::disk_full, "state.db: the disk is full", kNoSpaceHint);
  if ((code & 0xFF) == SQLITE_BUSY) throw Error(ErrorCode::lock_held, "state.db is locked by another program");
  if (code != SQLITE_OK) end_with_unknown_outcome(code);
  hold_->open = false;
  if (hold_->impl.log_pages >= kLogPagesMax) {
    try {
      hold_->impl.checkpoint();
    } catch (const SQLite::Exception& exception) {
      // The commit is durable in the log; moving it can wait.
      log_warning("", std::string("state.db: cannot move the log into the database yet: ") + escaped(exception.what()));
    }
  }
  hold_.reset();
}

}  // namespace popsync::state
