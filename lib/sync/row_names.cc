// SPDX-License-Identifier: MIT
#include "sync/row_names.h"

#include <algorithm>
#include <string_view>

namespace popsync::sync {

RowNames::RowNames(std::span<const state::MessageRow> rows) {
  std::unordered_map<std::string_view, std::size_t> counts;
  for (const state::MessageRow& row : rows) {
    if (row.uid.octets.empty()) continue;
    const std::size_t occurrence = ++counts[row.uid.octets];
    if (occurrence > 1) repeated_.emplace(row.id, occurrence);
  }
}

std::size_t RowNames::occurrence(state::RowId row) const {
  const auto found = repeated_.find(row);
  return found == repeated_.end() ? 1 : found->second;
}

std::vector<std::string> names_of_held(std::span<const state::MessageRow> rows, std::span<const state::HeldRow> held) {
  const RowNames names(rows);
  std::vector<std::string> out;
  auto row = rows.begin();
  for (const state::HeldRow& each : held) {
    // Read at another time than the rows, so one of them may be missing.
    const auto found = std::find_if(
        row, rows.end(), [&](const state::MessageRow& candidate) { return candidate.state == state::RowState::held && candidate.uid == each.uid; });
    out.push_back(found == rows.end() ? pop3::to_text(each.uid) : names.of(found->id, each.uid));
    if (found != rows.end()) row = found + 1;
  }
  return out;
}

}  // namespace popsync::sync
