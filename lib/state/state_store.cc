// SPDX-License-Identifier: MIT
#include "state/state_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <limits>
#include <thread>

#include "base/error.h"
#include "base/escape.h"
#include "base/fs.h"
#include "base/log.h"
#include "state/install.h"
#include "state/schema.h"
#include "state/state_store_impl.h"
#include "state/transaction.h"

namespace popsync::state {
namespace {

constexpr std::chrono::milliseconds kLockRetryEvery{5};
constexpr const char* kDatabaseFile = "state.db";

std::optional<WallTime> time_at(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return from_unix_seconds(column.getInt64());
}

std::optional<std::uint64_t> number_at(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return static_cast<std::uint64_t>(column.getInt64());
}

std::uint64_t count_at(const SQLite::Column& column) { return static_cast<std::uint64_t>(column.getInt64()); }
std::uint32_t small_at(const SQLite::Column& column) { return static_cast<std::uint32_t>(column.getInt64()); }
bool flag_at(const SQLite::Column& column) { return column.getInt() != 0; }
std::string octets_at(const SQLite::Column& column) {
  const void* data = column.getBlob();
  return {static_cast<const char*>(data), data == nullptr ? 0 : static_cast<std::size_t>(column.getBytes())};
}

std::string real_path(const std::string& directory) {
  const std::unique_ptr<char, decltype(&::free)> resolved(::realpath(directory.c_str(), nullptr), &::free);
  if (!resolved) throw Error(ErrorCode::state_unavailable, "cannot open the state directory " + escaped(directory) + ": " + errno_text(errno));
  return resolved.get();
}

// The database is born 0600 whatever the umask, and its name is durable before anything is written into it.
void make_database_file(const std::string& directory) {
  const auto dir = real_fs().open_root(directory);
  if (!dir || real_fs().stat(dir->get(), kDatabaseFile)) return;
  real_fs().close(real_fs().create(dir->get(), kDatabaseFile));
  real_fs().sync_directory(dir->get());
}

AccountRow read_account(SQLite::Statement& row) {
  AccountRow account;
  account.id = row.getColumn("id").getString();
  account.name = row.getColumn("name").getString();
  account.host = row.getColumn("host").getString();
  account.user = row.getColumn("user").getString();
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
  account.needs_operator = flag_at(row.getColumn("needs_operator"));
  account.secret_worked = flag_at(row.getColumn("secret_worked"));
  account.delivered_total = count_at(row.getColumn("delivered_total"));
  account.octets_total = count_at(row.getColumn("octets_total"));
  account.complete_listings = count_at(row.getColumn("complete_listings"));
  account.last_listing_count = count_at(row.getColumn("last_listing_count"));
  account.equal_settlements = small_at(row.getColumn("equal_settlements"));
  account.rekeyings = small_at(row.getColumn("rekeyings"));
  account.top_fails = flag_at(row.getColumn("top_fails"));
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

MessageRow read_message(SQLite::Statement& row) {
  return {.id = row.getColumn(0).getInt64(),
          .state = static_cast<RowState>(row.getColumn(1).getInt()),
          .uid = pop3::UniqueId{octets_at(row.getColumn(2))},
          .list_size = number_at(row.getColumn(3)),
          .removable = flag_at(row.getColumn(4)),
          .suspect = flag_at(row.getColumn(5)),
          .stored_at = from_unix_seconds(row.getColumn(6).getInt64()),
          .absent_since = time_at(row.getColumn(7)),
          .absent_since_listing = number_at(row.getColumn(8)),
          .deletions = small_at(row.getColumn(9)),
          .tries = small_at(row.getColumn(10))};
}

}  // namespace

void rethrow_as_error() {
  try {
    throw;
  } catch (const SQLite::Exception& exception) {
    const std::string text = "state.db: " + escaped(exception.what());
    switch (exception.getErrorCode()) {
      case SQLITE_FULL: throw Error(ErrorCode::disk_full, text, kNoSpaceHint);
      case SQLITE_BUSY:
      case SQLITE_LOCKED: throw Error(ErrorCode::lock_held, text);
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        throw Error(ErrorCode::state_corrupt, text, "stop popsync and put the state directory back from a backup; nothing was changed");
      case SQLITE_CANTOPEN:
      case SQLITE_READONLY:
      case SQLITE_PERM: throw Error(ErrorCode::state_unavailable, text, "look at the owner and the permissions of the state directory");
      default: break;
    }
    // SQLite says "I/O error" where it finds no space for the index of its log.
    if (exception.getExtendedErrorCode() == SQLITE_IOERR_SHMSIZE) throw Error(ErrorCode::disk_full, text, kNoSpaceHint);
    throw Error(ErrorCode::io_error, text);
  }
}

StateStore::Impl::Impl(std::string directory_path, std::string key, const std::string& file)
    : directory(std::move(directory_path)), install_key(std::move(key)), database(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW) {
  sqlite3_wal_hook(
      database.getHandle(),
      [](void* self, sqlite3* /*handle*/, const char* /*name*/, int pages) {
        static_cast<Impl*>(self)->log_pages = pages;
        return SQLITE_OK;
      },
      this);
}

SQLite::Statement& StateStore::Impl::statement(const char* sql) {
  auto found = statements.find(sql);
  if (found == statements.end()) found = statements.emplace(sql, SQLite::Statement(database, sql)).first;
  found->second.reset();
  found->second.clearBindings();
  return found->second;
}

FileLock StateStore::Impl::lock_commits() const { return FileLock::take(directory + "/lock"); }

bool StateStore::Impl::checkpoint() const {
  SQLite::Statement pragma(database, "PRAGMA wal_checkpoint(PASSIVE)");
  if (!pragma.executeStep()) return false;
  return pragma.getColumn(0).getInt() == 0 && pragma.getColumn(1).getInt() == pragma.getColumn(2).getInt();
}

void StateStore::Impl::settle_log() const {
  for (std::chrono::milliseconds waited{0}; waited < kShortLockWait; waited += kLockRetryEvery) {
    {
      const FileLock lock = lock_commits();
      if (checkpoint()) return;
    }
    std::this_thread::sleep_for(kLockRetryEvery);
  }
  throw Error(ErrorCode::lock_held, "another popsync keeps the state busy for more than 30 s");
}

StateStore::StateStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateStore::~StateStore() = default;

std::unique_ptr<StateStore> StateStore::open(const std::string& directory, const std::string& lost_key) {
  std::string key = prepare_install(directory, lost_key);
  const std::string real = real_path(directory);
  return guarded([&] {
    {
      const FileLock lock = FileLock::take(real + "/lock");
      make_database_file(real);
    }
    auto impl = std::make_unique<Impl>(real, std::move(key), real + "/" + kDatabaseFile);
    {
      const FileLock lock = impl->lock_commits();
      refuse_foreign(impl->database);
      prepare_connection(impl->database);
      prepare_schema(impl->database);
    }
    impl->settle_log();
    return std::unique_ptr<StateStore>(new StateStore(std::move(impl)));
  });
}

std::unique_ptr<StateStore> StateStore::open_existing(const std::string& directory) {
  const auto dir = open_state_directory(directory);
  if (!dir || !(read_install_key(directory) || real_fs().stat(dir->get(), kDatabaseFile))) return nullptr;
  return open(directory);  // a database without its key is refused there
}

const std::string& StateStore::directory() const { return impl_->directory; }
const std::string& StateStore::install_key() const { return impl_->install_key; }

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

std::vector<MessageRow> StateStore::messages(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<MessageRow> rows;
    SQLite::Statement& row = impl_->statement(
        "SELECT id, state, uid, list_size, removable, suspect, stored_at, absent_since, absent_since_listing, deletions, tries "
        "FROM message WHERE account = ? ORDER BY id");
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

std::vector<HeldRow> StateStore::held(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    std::vector<HeldRow> rows;
    SQLite::Statement& row =
        impl_->statement("SELECT uid, reason, tries, list_size FROM message WHERE account = ? AND state = 3 AND state IN (0, 3) ORDER BY id");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    while (row.executeStep()) {
      rows.push_back({.uid = pop3::UniqueId{octets_at(row.getColumn(0))},
                      .reason = row.getColumn(1).getString(),
                      .tries = small_at(row.getColumn(2)),
                      .list_size = number_at(row.getColumn(3))});
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
    std::vector<FileRow> rows;
    SQLite::Statement& row = impl_->statement(
        "SELECT message.id, message.mailstore, message.name, message.removable FROM message JOIN mailstore ON message.mailstore = mailstore.id "
        "WHERE mailstore.path = ? AND message.name IS NOT NULL ORDER BY message.id");
    const ResetAtEnd reset(row);
    row.bind(1, path);
    while (row.executeStep()) {
      rows.push_back({.id = row.getColumn(0).getInt64(),
                      .mailstore = row.getColumn(1).getInt64(),
                      .name = row.getColumn(2).getString(),
                      .removable = flag_at(row.getColumn(3))});
    }
    return rows;
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
        "ifnull(list_size, 0) <= ?3) "
        "OR EXISTS(SELECT 1 FROM message WHERE account = ?1 AND removable = 1 AND absent_since IS NULL AND stored_at <= ?4 AND deletions < ?5)");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    row.bind(2, static_cast<std::int64_t>(work.tries_max));
    row.bind(3, static_cast<std::int64_t>(std::min<std::uint64_t>(work.message_size_max, std::numeric_limits<std::int64_t>::max())));
    if (work.removed_if_stored_by) row.bind(4, to_unix_seconds(*work.removed_if_stored_by));  // else NULL, which nothing is less than
    row.bind(5, static_cast<std::int64_t>(work.deletions_max));
    row.executeStep();
    return flag_at(row.getColumn(0));
  });
}

ServerMemory StateStore::server_memory(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    ServerMemory memory;
    SQLite::Statement& row = impl_->statement("SELECT * FROM server_memory WHERE account = ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    if (!row.executeStep()) return memory;
    if (const auto asked = time_at(row.getColumn("capabilities_asked"))) {
      memory.capabilities = KnownCapabilities{.where = row.getColumn("capabilities_where").getString(),
                                              .before_login = octets_at(row.getColumn("before_login")),
                                              .after_login = octets_at(row.getColumn("after_login")),
                                              .asked = *asked};
    }
    memory.failures_ahead = small_at(row.getColumn("failures_ahead"));
    if (const auto count = number_at(row.getColumn("listing_count"))) {
      memory.listing = KnownListing{.policy = row.getColumn("listing_policy").getString(),
                                    .count = *count,
                                    .octets = count_at(row.getColumn("listing_octets")),
                                    .last = {octets_at(row.getColumn("listing_last"))},
                                    .completed = from_unix_seconds(row.getColumn("listing_completed").getInt64()),
                                    .looks = small_at(row.getColumn("listing_looks"))};
    }
    return memory;
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

std::optional<StateStore::Stored> StateStore::find_published(RowId mailstore, const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&]() -> std::optional<Stored> {
    SQLite::Statement& row = impl_->statement("SELECT id, sha256 FROM message WHERE mailstore = ? AND state = 1 AND name = ?");
    const ResetAtEnd reset(row);
    row.bind(1, mailstore);
    row.bind(2, name);
    if (!row.executeStep()) return std::nullopt;
    return Stored{.id = row.getColumn(0).getInt64(), .sha256 = octets_at(row.getColumn(1))};
  });
}

void StateStore::suspend(const std::vector<RowId>& mailstores, const std::string& reason) {
  {
    const std::lock_guard lock(impl_->mutex);
    for (const RowId mailstore : mailstores) impl_->suspended[mailstore] = reason;
  }
  try {
    auto transaction = begin();
    for (const RowId mailstore : mailstores) transaction.suspend(mailstore, reason);
    transaction.commit();
    // From here on the database tells, so that another process may end it.
    const std::lock_guard lock(impl_->mutex);
    for (const RowId mailstore : mailstores) impl_->suspended.erase(mailstore);
  } catch (const Error& error) {
    log_warning("", std::string("the suspension is not in the state yet: ") + error.what());
  }
}

Transaction StateStore::begin() { return Transaction(*impl_); }

void StateStore::quick_check() {
  const std::lock_guard lock(impl_->mutex);
  const std::string verdict = guarded([&] { return impl_->database.execAndGet("PRAGMA quick_check(1)").getString(); });
  if (verdict != "ok") {
    throw Error(ErrorCode::state_corrupt, "state.db is damaged: " + escaped(verdict),
                "stop popsync and put the state directory back from a backup; nothing was changed");
  }
}

}  // namespace popsync::state
