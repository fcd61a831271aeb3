// SPDX-License-Identifier: MIT
#include "state/schema.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <array>
#include <string>

#include "base/error.h"

namespace popsync::state {
namespace {

constexpr int kSynchronousFull = 2;
constexpr int kBusyTimeoutMs = 30'000;
constexpr std::int64_t kLogOctetsMax = 16 << 20;  // what is moved into the database at once (StateStore::kLogPagesMax)

constexpr const char* kTables = R"sql(
CREATE TABLE account(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  host TEXT NOT NULL,
  user TEXT NOT NULL,
  last_attempt INTEGER,
  last_success INTEGER,
  consecutive_failures INTEGER NOT NULL DEFAULT 0,
  error_at INTEGER,
  error_code TEXT,
  error_message TEXT,
  error_hint TEXT,
  next_sync INTEGER,
  needs_operator INTEGER NOT NULL DEFAULT 0,
  secret_worked INTEGER NOT NULL DEFAULT 0,
  delivered_total INTEGER NOT NULL DEFAULT 0,
  octets_total INTEGER NOT NULL DEFAULT 0,
  complete_listings INTEGER NOT NULL DEFAULT 0,
  last_listing_count INTEGER NOT NULL DEFAULT 0,
  equal_settlements INTEGER NOT NULL DEFAULT 0,
  marker TEXT NOT NULL DEFAULT '',
  policy TEXT NOT NULL DEFAULT '');
CREATE TABLE mailstore(
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  store_id TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0,
  UNIQUE(account, path));
CREATE TABLE message(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  mailstore INTEGER REFERENCES mailstore(id),
  state INTEGER NOT NULL,
  uid BLOB NOT NULL,
  list_size INTEGER,
  wire_octets INTEGER,
  stored_size INTEGER,
  sha256 BLOB,
  fingerprint BLOB,
  header_hash BLOB,
  has_message_id INTEGER NOT NULL DEFAULT 0,
  name TEXT,
  removable INTEGER NOT NULL DEFAULT 0,
  suspect INTEGER NOT NULL DEFAULT 0,
  unverified INTEGER NOT NULL DEFAULT 0,
  stored_at INTEGER NOT NULL,
  absent_since INTEGER,
  absent_since_listing INTEGER,
  deletions INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0);
CREATE INDEX message_by_uid ON message(account, uid);
CREATE INDEX message_by_state ON message(account, state) WHERE state IN (0, 3);
CREATE INDEX message_by_mailstore ON message(mailstore);
)sql";

// What was added since: step i makes version i + 2 of version i + 1. A new database takes them all, so both ways lead to the same tables. Never
// changed once released, only added to.
constexpr std::array kSteps = {
    // An mbox as mailstore, and where in it an entry was about to be written.
    "ALTER TABLE mailstore ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN entry_offset INTEGER;"
    "ALTER TABLE message ADD COLUMN entry_length INTEGER;"
    "ALTER TABLE message ADD COLUMN entry_sha256 BLOB",
    // A Maildir whose disk failed to sync waits for an operator.
    "ALTER TABLE mailstore ADD COLUMN suspended TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE mailstore ADD COLUMN sync_failures INTEGER NOT NULL DEFAULT 0",
    // A server whose unique-ids all change.
    "ALTER TABLE account ADD COLUMN rekeyings INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN top_fails INTEGER NOT NULL DEFAULT 0",
    // Servers that cannot bear commands sent ahead, or that delete by themselves.
    "ALTER TABLE account ADD COLUMN surprises INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN expire_days INTEGER",
    // What spares a session round trips. A row that goes makes its message a new one, which a short look at the maildrop would not find: whoever
    // deletes it, the next session lists the maildrop whole. The index answers "is a deletion due?" without a look at the rows.
    "CREATE TABLE server_memory("
    "account TEXT PRIMARY KEY REFERENCES account(id) ON DELETE CASCADE,"
    "capabilities_where TEXT, before_login BLOB, after_login BLOB, capabilities_asked INTEGER,"
    "failures_ahead INTEGER NOT NULL DEFAULT 0,"
    "listing_policy TEXT, listing_count INTEGER, listing_octets INTEGER, listing_last BLOB, listing_completed INTEGER, listing_looks INTEGER"
    ") WITHOUT ROWID;"
    "CREATE TRIGGER message_erased AFTER DELETE ON message "
    "BEGIN UPDATE server_memory SET listing_count = NULL WHERE account = OLD.account; END;"
    "CREATE INDEX message_by_removal ON message(account, stored_at, deletions) WHERE removable = 1 AND absent_since IS NULL",
    // LOGIN-DELAY binds every process that logs in.
    "ALTER TABLE account ADD COLUMN login_delay INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN last_login INTEGER;"
    // A secret that never worked is tried three times, whoever tries.
    "ALTER TABLE account ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN tried_with TEXT NOT NULL DEFAULT ''",
    // Our DELE may have taken it, also where the answer to QUIT never came and the policy is another one by now.
    "ALTER TABLE message ADD COLUMN dele_sent INTEGER NOT NULL DEFAULT 0;"
    "UPDATE message SET dele_sent = 1 WHERE deletions > 0",
    // An account that is new to the state may be an old one under another name.
    "CREATE INDEX account_by_user ON account(user)",
    // A unique-id that comes back may name another message. In a table of its own, because an outage puts every row in doubt at once. Who puts one
    // in doubt makes the next session list the maildrop whole.
    "CREATE TABLE doubt(message INTEGER PRIMARY KEY REFERENCES message(id) ON DELETE CASCADE, kind INTEGER NOT NULL);"
    "CREATE TRIGGER message_doubted AFTER INSERT ON doubt "
    "BEGIN UPDATE server_memory SET listing_count = NULL "
    "WHERE account = (SELECT account FROM message WHERE id = NEW.message) AND listing_count IS NOT NULL; END;"
    "INSERT INTO doubt SELECT id, 4 FROM message "
    "WHERE (dele_sent = 1 OR absent_since IS NOT NULL) AND (state = 1 OR (state = 2 AND removable = 1));"
    "ALTER TABLE message ADD COLUMN top_broke INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN top_breaks INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN top_differences INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN top_off_since INTEGER;"
    "UPDATE account SET top_off_since = CAST(strftime('%s', 'now') AS INTEGER) WHERE top_fails = 1;"
    "ALTER TABLE account DROP COLUMN top_fails",
    // A step of the wall clock must not age a message: its time goes with the clock it was taken by. Rows of before have none, which is 0. The index
    // answers "which is the oldest of each clock?" without a look at the rows.
    "CREATE TABLE clocks("
    "id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL, boot_offset INTEGER NOT NULL, synchronised INTEGER NOT NULL, true_offset INTEGER, "
    "first_session INTEGER NOT NULL, since INTEGER NOT NULL, begins INTEGER, begins_clock INTEGER NOT NULL DEFAULT 0);"
    "ALTER TABLE message ADD COLUMN stored_clock INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN absent_clock INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailstore ADD COLUMN unlearned_mark INTEGER;"
    "ALTER TABLE mailstore ADD COLUMN unlearned_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailstore ADD COLUMN unlearned_clock INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX message_by_removal;"
    "CREATE INDEX message_by_age ON message(account, stored_clock, stored_at, deletions) WHERE removable = 1 AND absent_since IS NULL",
    // A planned time that is further ahead than its own delay was planned by a clock that was ahead.
    "ALTER TABLE account ADD COLUMN next_sync_delay INTEGER NOT NULL DEFAULT 0",
    // Tunnels to different servers: one host, one user, different ports. 0: an account of before.
    "ALTER TABLE account ADD COLUMN port INTEGER NOT NULL DEFAULT 0",
    // File systems that do not answer the daemon.
    "CREATE TABLE unanswered(account_name TEXT PRIMARY KEY, since INTEGER NOT NULL, path TEXT NOT NULL) WITHOUT ROWID",
};
static_assert(kSteps.size() + 1 == kSchemaVersion);

std::int32_t integer_pragma(SQLite::Database& database, const std::string& name) { return database.execAndGet("PRAGMA " + name).getInt(); }

bool is_empty(SQLite::Database& database) { return database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0; }

}  // namespace

void never_checkpoint_at_close(SQLite::Database& database) { sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

void prepare_connection(SQLite::Database& database) {
  sqlite3* handle = database.getHandle();
  database.setBusyTimeout(kBusyTimeoutMs);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  database.exec("PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0");
  // A log that has grown is cut back to this at the first commit after all of it was moved, which is when SQLite begins it anew. That commit holds
  // our lock, and unlike a checkpoint that truncates it waits for no reader.
  database.exec("PRAGMA journal_size_limit=" + std::to_string(kLogOctetsMax));
  const std::string mode = database.execAndGet("PRAGMA journal_mode=WAL").getString();
  database.exec("PRAGMA synchronous=FULL");
  if (mode != "wal" || integer_pragma(database, "synchronous") != kSynchronousFull) {
    throw Error(ErrorCode::state_unavailable, "the database does not accept WAL with synchronous=FULL (it said " + mode + ")",
                "put the state directory on a local file system");
  }
}

void refuse_foreign(SQLite::Database& database) {
  if (is_empty(database)) return;
  if (integer_pragma(database, "application_id") != kApplicationId) {
    throw Error(ErrorCode::state_corrupt, "state.db is no database of popsync", "name another directory with --state-dir");
  }
  const std::int32_t version = integer_pragma(database, "user_version");
  if (version > kSchemaVersion) {
    throw Error(
        ErrorCode::newer_schema,
        "state.db was written by a newer popsync (schema " + std::to_string(version) + ", this one knows " + std::to_string(kSchemaVersion) + ")",
        "use the newer popsync");
  }
}

bool is_older(SQLite::Database& database) { return !is_empty(database) && integer_pragma(database, "user_version") < kSchemaVersion; }

void prepare_schema(SQLite::Database& database) {
  const bool fresh = is_empty(database);
  const std::int32_t version = fresh ? 1 : integer_pragma(database, "user_version");
  if (!fresh && version == kSchemaVersion) return;
  database.exec("BEGIN IMMEDIATE");
  if (fresh) {
    database.exec(kTables);
    database.exec("PRAGMA application_id=" + std::to_string(kApplicationId));
  }
  for (auto step = static_cast<std::size_t>(version) - 1; step < kSteps.size(); ++step) database.exec(kSteps.at(step));
  database.exec("PRAGMA user_version=" + std::to_string(kSchemaVersion));
  database.exec("COMMIT");
}

}  // namespace popsync::state
