// SPDX-License-Identifier: MIT
// The values of a row, as they are read from its columns and bound to the statement that writes them. Private to lib/state.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

inline void bind_octets(SQLite::Statement& row, int index, std::string_view octets) {
  // An empty blob, not NULL: sqlite takes a null pointer for NULL.
  row.bind(index, octets.empty() ? static_cast<const void*>("") : octets.data(), static_cast<int>(octets.size()));
}

inline void bind_number(SQLite::Statement& row, int index, std::optional<std::uint64_t> value) {
  if (value) {
    row.bind(index, static_cast<std::int64_t>(*value));
  } else {
    row.bind(index);
  }
}

inline void bind_time(SQLite::Statement& row, int index, std::optional<WallTime> value) {
  if (value) {
    row.bind(index, to_unix_seconds(*value));
  } else {
    row.bind(index);
  }
}

inline std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace popsync::state
