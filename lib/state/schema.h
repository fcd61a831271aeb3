// SPDX-License-Identifier: MIT
// The tables, and the pragmas that make a COMMIT mean what docs/durability.md says. Only lib/state sees this header.
#pragma once

#include <cstdint>

namespace SQLite {  // NOLINT(readability-identifier-naming)
class Database;
}

namespace popsync::state {

constexpr std::int32_t kApplicationId = 0x506f5053;  // "PoPS"
constexpr std::int32_t kSchemaVersion = 14;          // one more with each step in schema.cc

// A checkpoint at close would not be under our lock: SQLite up to 3.51.2 can lose commits that race a checkpoint.
void never_checkpoint_at_close(SQLite::Database& database);
// Pragmas of every connection: WAL, synchronous=FULL (read back), no automatic checkpoints, defensive. Throws Error state_corrupt or io_error.
void prepare_connection(SQLite::Database& database);
// Before anything is written: Error state_corrupt for a file of something else, newer_schema for one of a newer popsync.
void refuse_foreign(SQLite::Database& database);
// Its tables are those of an older popsync.
bool is_older(SQLite::Database& database);
// Makes the tables in a new database, and brings an older one up to this version; all of it happens or nothing.
void prepare_schema(SQLite::Database& database);

}  // namespace popsync::state
