// SPDX-License-Identifier: MIT
// What StateStore and Transaction share: the connection, its statements and the locks. Private to lib/state.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/fs.h"
#include "base/unique_fd.h"
#include "state/file_lock.h"
#include "state/in_use.h"
#include "state/state_store.h"
#include "state/use_mark.h"

namespace popsync::state {

struct StateStore::Impl {
  Impl(std::string directory_path, std::string key, const std::string& file, InUse in_use_lock, Fs& fs_of_syncs);

  // A prepared statement, reset and without bindings. Valid until the next call with the same text.
  SQLite::Statement& statement(const char* sql);
  // The lock on STATE/lock that commits and checkpoints take.
  [[nodiscard]] FileLock lock_commits() const;
  // Counts the pages of the log from the next commit on. After prepare_connection(): SQLite keeps one such watcher, and wal_autocheckpoint is one.
  void watch_log();
  // Moves the log into the database. True if all of it was moved.
  bool checkpoint() const;
  // The same for room in the log, where that can be had: a log that may not grow is written from its beginning again once all of it was moved.
  void try_checkpoint() const;
  // Behind syncs of the database or its log, before anything relies on them. Ends the process if they cannot be completed.
  void complete_syncs() const;
  // Once at open: what a crash left in the log may not be durable yet; a full checkpoint syncs it.
  void settle_log() const;
  // Changes the tables of an older popsync to ours, once nobody else has the state open. Error lock_held names who has, after `patience`.
  void bring_up(const Opening& opening);
  // In the place of this, which is not to be used any more: the same rows in our tables, in memory. It takes what room the rows take, but only until
  // a popsync works on the state; a copy in a file would leave it somewhere after a crash.
  std::unique_ptr<Impl> copy_in_memory();

  void change_tables();

  std::string directory;
  std::string install_key;
  Fs& fs;
  UniqueFd folder;    // the directory
  InUse in_use;       // before the database: held as long as that is open
  bool copy = false;  // of the tables of an older popsync, in memory
  std::mutex mutex;   // guards all below
  SQLite::Database database;
  std::unordered_map<const char*, SQLite::Statement> statements;
  std::optional<UseMark> use_mark;  // once what is remembered of servers is used
  int log_pages = 0;
  int log_pages_max = Opening::kLogPagesMax;
  std::unordered_map<RowId, std::string> suspended;  // what the database did not take
};

// A SELECT that is not reset keeps its snapshot of the database, and with it every later one of the connection: what another process has
// committed since would stay unseen, and its messages would be fetched again.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(SQLite::Statement& statement) : statement_(statement) {}
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;
  ~ResetAtEnd() { statement_.tryReset(); }

 private:
  SQLite::Statement& statement_;
};

// After such an end nobody knows whether what was committed last is there: touching any file now could double or lose a message. The next start
// looks at the disk.
[[noreturn]] void end_with_unknown_outcome(const std::string& directory, const std::string& cause);

// No room for what was to be written: a full disk, a quota, or a file that may not grow. `number` is errno.
Error no_room(const std::string& what, int number);

// Turns SQLite's exception in flight into an Error.
[[noreturn]] void rethrow_as_error();

// Runs `work`, turning SQLite's exceptions into Errors.
template <typename Work>
auto guarded(Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const SQLite::Exception&) {
    rethrow_as_error();
  }
}

}  // namespace popsync::state
