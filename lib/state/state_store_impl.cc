// SPDX-License-Identifier: MIT
#include "state/state_store_impl.h"

#include <SQLiteCpp/Backup.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "state/distrusted_log.h"
#include "state/schema.h"

namespace popsync::state {
namespace {

constexpr std::chrono::milliseconds kLockRetryEvery{5};
constexpr std::chrono::milliseconds kAloneRetryEvery{50};

UniqueFd open_folder(Fs& fs, const std::string& directory) {
  auto folder = fs.open_root(directory);
  if (!folder) throw Error(ErrorCode::state_unavailable, "the state directory " + escaped(directory) + " is gone", "is the disk mounted?");
  return std::move(*folder);
}

}  // namespace

StateStore::Impl::Impl(std::string directory_path, std::string key, const std::string& file, InUse in_use_lock, Fs& fs_of_syncs)
    : directory(std::move(directory_path)),
      install_key(std::move(key)),
      fs(fs_of_syncs),
      folder(open_folder(real_fs(), directory)),
      in_use(std::move(in_use_lock)),
      database(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW) {
  never_checkpoint_at_close(database);
}

void StateStore::Impl::watch_log() {
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

// The log is whole before the database is touched, and the database before the log is written over.
bool StateStore::Impl::checkpoint() const {
  complete_syncs();
  SQLite::Statement pragma(database, "PRAGMA wal_checkpoint(PASSIVE)");
  if (!pragma.executeStep()) return false;
  complete_syncs();
  return pragma.getColumn(0).getInt() == 0 && pragma.getColumn(1).getInt() == pragma.getColumn(2).getInt();
}

void StateStore::Impl::try_checkpoint() const {
  try {
    checkpoint();
  } catch (const SQLite::Exception& exception) {
    log_debug("", std::string("state.db: cannot move the log into the database: ") + escaped(exception.what()));
  }
}

void StateStore::Impl::complete_syncs() const {
  try {
    fs.complete_syncs(folder.get());
  } catch (const Error& error) {
    end_with_unknown_outcome(directory, error.message());
  }
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

// The step is one transaction: a process that dies in its midst leaves the old tables, and its lock goes with it.
void StateStore::Impl::bring_up(const Opening& opening) {
  for (std::chrono::milliseconds waited{0};; waited += kAloneRetryEvery) {
    const auto other = in_use.try_alone(opening.holds_daemon_lock);
    {
      const FileLock lock = lock_commits();
      if (!other) {
        change_tables();
        return in_use.share_again();
      }
      if (!is_older(database)) break;  // somebody else has done it
    }
    if (waited >= opening.patience) {
      throw Error(ErrorCode::lock_held, "state.db has the tables of an older popsync; they cannot be changed while it is open in " + *other,
                  "let that one end first; a daemon of an older version: systemctl restart popsync");
    }
    if (waited == std::chrono::milliseconds::zero()) log_info("", "waiting for the end of " + *other + ": the tables of state.db have to be changed");
    std::this_thread::sleep_for(kAloneRetryEvery);
  }
  in_use = InUse::share(directory, kShortLockWait);
}

void StateStore::Impl::change_tables() {
  try {
    prepare_schema(database);
  } catch (const SQLite::Exception&) {
    distrust_log(directory);  // a sync of it may have failed, and the kernel tells of that once
    throw;
  }
}

std::unique_ptr<StateStore::Impl> StateStore::Impl::copy_in_memory() {
  auto result = std::make_unique<Impl>(directory, install_key, ":memory:", std::move(in_use), fs);
  SQLite::Backup(result->database, database).executeStep();
  prepare_schema(result->database);
  result->copy = true;
  return result;
}

void end_with_unknown_outcome(const std::string& directory, const std::string& cause) {
  distrust_log(directory);
  log_error("",
            "state.db: COMMIT failed and its outcome is unknown (" + cause +
                "); stopping at once, nothing more was touched; look at the disk of the state directory, then start popsync again: it recovers by "
                "itself");
  ::_exit(exit_status(ErrorCode::io_error));
}

Error no_room(const std::string& what, int number) {
  if (number == EFBIG) {
    return {ErrorCode::disk_full, "state.db: " + what + ": " + errno_text(EFBIG),
            "no file may grow beyond that here: raise ulimit -f, or LimitFSIZE= of the unit, and start popsync again"};
  }
  return {ErrorCode::disk_full, "state.db: " + what, "free some space on the disk of the state directory; popsync goes on by itself"};
}

void rethrow_as_error() {
  const int number = errno;
  try {
    throw;
  } catch (const SQLite::Exception& exception) {
    const std::string text = "state.db: " + escaped(exception.what());
    switch (exception.getErrorCode()) {
      case SQLITE_FULL: throw no_room(escaped(exception.what()), number);
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
    const bool refused_write = exception.getExtendedErrorCode() == SQLITE_IOERR_WRITE && (number == EDQUOT || number == EFBIG);
    if (refused_write || exception.getExtendedErrorCode() == SQLITE_IOERR_SHMSIZE) throw no_room(escaped(exception.what()), number);
    throw Error(ErrorCode::io_error, text, "look at the disk of the state directory (dmesg, smartctl): is it failing?");
  }
}

}  // namespace popsync::state
