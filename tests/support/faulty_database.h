// SPDX-License-Identifier: MIT
// SQLite's files on a Machine: every write, sync and truncation of the database and its log is numbered and may fail or be the last, and a power cut
// takes back what was not synced. Registered as SQLite's default VFS, once in a process, before the database is opened; for child processes that end
// with their run.
#pragma once

#include "support/machine.h"

namespace popsync::test {

// `machine` lives as long as the process.
void put_databases_on(Machine& machine);

}  // namespace popsync::test
