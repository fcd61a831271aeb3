// SPDX-License-Identifier: MIT
// SQLite's log (state.db-wal) after a sync of it has failed. The kernel tells of that once; then the log reads as it was written, and another sync
// succeeds without it being on the disk. The next process would move it into the database, and a power cut in the middle of that leaves half of it
// there and nothing of the log: a database that is torn, and does not know it. So the log is written once more, octet for octet where it stands, and
// synced. Until then a mark stands in the state directory, a file that is not synced: it lives as long as the kernel's false memory.
//
// The caller holds the lock of commits (STATE/lock).
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

namespace popsync::state {

// Best effort: the process is about to end.
void mark_unsynced_log(const std::string& directory);

// Does nothing without the mark. Throws Error io_error or disk_full if the disk still fails; the mark stays then.
void renew_unsynced_log(const std::string& directory, SQLite::Database& database);

}  // namespace popsync::state
