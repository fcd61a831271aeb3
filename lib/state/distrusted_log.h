// SPDX-License-Identifier: MIT
// SQLite's log (state.db-wal) after a sync of it has failed. The kernel tells of that once; then the log reads as it was written, and another sync
// succeeds without it being on the disk. The next process would move it into the database, and a power cut in the middle of that leaves half of it
// there and nothing of the log: a database that is torn, and does not know it. So the log is written once more, octet for octet where it stands, and
// synced. What asks for that is the absence of the file "trusted" in the state directory: taking it away needs no room, and is not synced, so that a
// power cut brings it back, and takes the kernel's false memory with it.
//
// The caller holds the lock of commits (STATE/lock).
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

namespace popsync::state {

// Best effort: the process is about to end.
void distrust_log(const std::string& directory);

// Does nothing while the log is trusted. Throws Error io_error or disk_full if the disk still fails; nothing changes then.
void renew_distrusted_log(const std::string& directory, SQLite::Database& database);

}  // namespace popsync::state
