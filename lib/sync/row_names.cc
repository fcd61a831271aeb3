// SPDX-License-Identifier: MIT
#include "sync/row_names.h"

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

}  // namespace popsync::sync
