// SPDX-License-Identifier: MIT
#include "state/transaction.h"

#include <sqlite3.h>

#include <cerrno>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {
namespace {

// SQLite knows ENOSPC; a quota, and a file that may not grow, come as a failed write of the log. All end before the log's last frame is whole, so
// nothing was committed. `number` is errno after COMMIT: sqlite3_system_errno() does not learn it from COMMIT in SQLite 3.40. What overwrites it
// makes the outcome unknown, which is safe.
bool full(int code, sqlite3* handle, int number) {
  if ((code & 0xFF) == SQLITE_FULL) return true;
  return code != SQLITE_OK && sqlite3_extended_errcode(handle) == SQLITE_IOERR_WRITE && (number == EDQUOT || number == EFBIG);
}

}  // namespace

Transaction::Transaction(StateStore::Impl& impl) : hold_(std::make_unique<Hold>(impl)) {
  guarded([&] { impl.database.exec("BEGIN IMMEDIATE"); });
}

Transaction::Transaction(Transaction&&) noexcept = default;

Transaction::~Transaction() {
  if (hold_ && hold_->open) roll_back();
}

void Transaction::roll_back() {
  // Statements are reset before ROLLBACK, which an unfinished one would make fail. Nothing to do about a failure: the transaction is gone either way.
  for (auto& [sql, statement] : hold_->impl.statements) statement.tryReset();
  hold_->impl.database.tryExec("ROLLBACK");
  hold_->open = false;
}

void Transaction::commit() {
  for (auto& [sql, statement] : hold_->impl.statements) statement.tryReset();
  errno = 0;
  const int code = hold_->impl.database.tryExec("COMMIT");
  if (const int number = errno; full(code, hold_->impl.database.getHandle(), number)) {
    roll_back();
    hold_->impl.try_checkpoint();
    throw no_room("the disk is full", number);
  }
  if ((code & 0xFF) == SQLITE_BUSY) throw Error(ErrorCode::lock_held, "state.db is locked by another program");
  if (code != SQLITE_OK) end_with_unknown_outcome(hold_->impl.directory, sqlite3_errstr(code));
  hold_->impl.complete_syncs();
  hold_->open = false;
  if (hold_->impl.log_pages >= hold_->impl.log_pages_max) {
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
