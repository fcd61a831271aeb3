// SPDX-License-Identifier: MIT
#include "state/distrusted_log.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "state/state_store_impl.h"

namespace popsync::state {
namespace {

constexpr const char* kTrusted = "trusted";  // taken away, because on a full disk nothing can be made
constexpr sqlite3_int64 kPieceOctets = 64L * 1024;

void must(int code) {
  if (code == SQLITE_OK) return;
  throw Error((code & 0xFF) == SQLITE_FULL ? ErrorCode::disk_full : ErrorCode::io_error,
              std::string("state.db: its log cannot be written to the disk anew after a sync that failed (") + sqlite3_errstr(code) + ")",
              "look at the disk of the state directory, is it failing?");
}

// Through SQLite's own file, so that no lock of it is dropped.
void write_anew(sqlite3_file* log) {
  std::array<char, kPieceOctets> piece{};
  sqlite3_int64 size = 0;
  must(log->pMethods->xFileSize(log, &size));
  if (size == 0) return;  // of a new state
  for (sqlite3_int64 offset = 0; offset < size; offset += kPieceOctets) {
    const int length = static_cast<int>(std::min(kPieceOctets, size - offset));
    must(log->pMethods->xRead(log, piece.data(), length, offset));
    must(log->pMethods->xWrite(log, piece.data(), length, offset));
  }
  must(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
}

}  // namespace

void distrust_log(const std::string& directory) {
  try {
    const auto dir = real_fs().open_root(directory);
    if (dir) real_fs().unlink(dir->get(), kTrusted);
  } catch (const Error& error) {
    log_debug("", error.what());
  }
}

void renew_distrusted_log(const std::string& directory, SQLite::Database& database) {
  const auto dir = real_fs().open_root(directory);
  if (!dir || real_fs().stat(dir->get(), kTrusted)) return;
  sqlite3_file* log = nullptr;
  must(sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log)));
  if (log != nullptr && log->pMethods != nullptr) write_anew(log);
  try {
    real_fs().close(real_fs().create(dir->get(), kTrusted));
  } catch (const Error& error) {
    log_debug("", error.what());  // no room: the next start writes the log once more, no harm
  }
}

}  // namespace popsync::state
