// SPDX-License-Identifier: MIT
// What messages are called where unique-ids are equal: the k-th row of a unique-id is UID#k. Rows come in the order in which their messages were
// first listed or stored, so a name stays while the rows before it do. Entries of a listing have the names of their rows: name_entries().
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>

#include "state/rows.h"

namespace popsync::sync {

class RowNames {
 public:
  // All rows of one account, in their order.
  explicit RowNames(std::span<const state::MessageRow> rows);

  // k of UID#k; 1 for a row that is not there.
  [[nodiscard]] std::size_t occurrence(state::RowId row) const;
  [[nodiscard]] std::string of(state::RowId row, const pop3::UniqueId& uid) const { return pop3::to_text(uid, occurrence(row)); }

 private:
  std::unordered_map<state::RowId, std::size_t> repeated_;  // those that are not the first
};

}  // namespace popsync::sync
