// SPDX-License-Identifier: MIT
#include "state/state_store.h"

#include <sqlite3.h>
#include <stdlib.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/fs.h"
#include "base/log.h"
#include "state/distrusted_log.h"
#include "state/install.h"
#include "state/schema.h"
#include "state/state_store_impl.h"
#include "state/transaction.h"

namespace popsync::state {
namespace {

constexpr const char* kDatabaseFile = "state.db";
constexpr const char* kNewDatabaseFile = "state.db.new";
constexpr std::array kLeftByACrash = {"state.db.new", "state.db.new-journal", "state.db.new-wal", "state.db.new-shm"};

std::string real_path(const std::string& directory) {
  const std::unique_ptr<char, decltype(&::free)> resolved(::realpath(directory.c_str(), nullptr), &::free);
  if (!resolved) throw Error(ErrorCode::state_unavailable, "cannot open the state directory " + escaped(directory) + ": " + errno_text(errno));
  return resolved.get();
}

// The database is born 0600 whatever the umask, and has its tables before it has its name: so one without content was emptied, never just begun.
// Until then nobody knows it, and one sync of the whole takes the place of a dozen on the way.
void make_database(const std::string& directory) {
  const auto dir = real_fs().open_root(directory);
  if (!dir || real_fs().stat(dir->get(), kDatabaseFile)) return;
  for (const char* left : kLeftByACrash) real_fs().unlink(dir->get(), left);
  real_fs().close(real_fs().create(dir->get(), kNewDatabaseFile));
  {
    SQLite::Database database(directory + "/" + kNewDatabaseFile, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    database.exec("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY");
    prepare_schema(database);
    // A change of the file's header, committed as ever: it syncs the whole. The log stays empty, so closing leaves all in the file.
    database.exec("PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL");
  }
  real_fs().complete_syncs(dir->get());  // content before names
  if (!real_fs().rename(dir->get(), kNewDatabaseFile, dir->get(), kDatabaseFile)) {
    throw Error(ErrorCode::state_unavailable, "the new state.db vanished before it was put in place", "does a cleaner empty the state directory?");
  }
  real_fs().sync_directory(dir->get());
}

// The state has been used.
bool exists(const std::string& directory) {
  const auto dir = open_state_directory(directory);
  return dir && (read_install_key(directory) || real_fs().stat(dir->get(), kDatabaseFile));
}

}  // namespace

StateStore::StateStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateStore::~StateStore() = default;

std::unique_ptr<StateStore> StateStore::open(const std::string& directory, const Opening& opening) { return open(directory, opening, false); }

std::unique_ptr<StateStore> StateStore::open(const std::string& directory, const Opening& opening, bool only_looks) {
  std::string key = prepare_install(directory, opening.lost_key);
  const std::string real = real_path(directory);
  return guarded([&] {
    InUse in_use = InUse::share(real, kShortLockWait);
    {
      const FileLock lock = FileLock::take(real + "/lock");
      make_database(real);
    }
    auto impl = std::make_unique<Impl>(real, std::move(key), real + "/" + kDatabaseFile, std::move(in_use), opening.fs);
    {
      const FileLock lock = impl->lock_commits();
      refuse_foreign(impl->database);
      if (only_looks && is_older(impl->database)) return std::unique_ptr<StateStore>(new StateStore(impl->copy_in_memory()));
      prepare_connection(impl->database);
      impl->watch_log();
      renew_distrusted_log(real, impl->database);
    }
    if (is_older(impl->database)) {
      impl->bring_up(opening);
      refuse_foreign(impl->database);  // somebody else may have done more than that
    }
    impl->settle_log();
    impl->log_pages_max = opening.log_pages_max;
    return std::unique_ptr<StateStore>(new StateStore(std::move(impl)));
  });
}

std::unique_ptr<StateStore> StateStore::open_existing(const std::string& directory, const Opening& opening) {
  return exists(directory) ? open(directory, opening, false) : nullptr;  // a database without its key is refused there
}

std::unique_ptr<StateStore> StateStore::open_to_look(const std::string& directory) { return exists(directory) ? open(directory, {}, true) : nullptr; }

const std::string& StateStore::directory() const { return impl_->directory; }
const std::string& StateStore::install_key() const { return impl_->install_key; }
bool StateStore::is_copy_of_older() const { return impl_->copy; }

Transaction StateStore::begin() { return Transaction(*impl_); }

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

void StateStore::quick_check() {
  const std::lock_guard lock(impl_->mutex);
  const std::string verdict = guarded([&] { return impl_->database.execAndGet("PRAGMA quick_check(1)").getString(); });
  if (verdict != "ok") {
    throw Error(ErrorCode::state_corrupt, "state.db is damaged: " + escaped(verdict),
                "stop popsync and put the state directory back from a backup; nothing was changed");
  }
}

}  // namespace popsync::state
