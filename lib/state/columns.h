// SPDX-License-Identifier: MIT
// The values of a row, as they are read from its columns. Private to lib/state.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace popsync::state {

inline std::optional<WallTime> time_at(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return from_unix_seconds(column.getInt64());
}

inline std::optional<std::uint64_t> number_at(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return static_cast<std::uint64_t>(column.getInt64());
}

inline std::uint64_t count_at(const SQLite::Column& column) { return static_cast<std::uint64_t>(column.getInt64()); }
inline std::uint32_t small_at(const SQLite::Column& column) { return static_cast<std::uint32_t>(column.getInt64()); }
inline bool flag_at(const SQLite::Column& column) { return column.getInt() != 0; }

inline std::string octets_at(const SQLite::Column& column) {
  const void* data = column.getBlob();
  return {static_cast<const char*>(data), data == nullptr ? 0 : static_cast<std::size_t>(column.getBytes())};
}

}  // namespace popsync::state
