// SPDX-License-Identifier: MIT
// An mbox taken apart the plain way, for tests: the whole text at once, line by line, without the product's code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace popsync::test {

struct MboxText {
  std::string from_line;
  std::string marker;   // of X-Popsync-Id, if that is the first field
  std::string message;  // unquoted, without the marker's field and the empty line at the end
};

inline bool is_quoted_from(std::string_view line) {
  const auto start = line.find_first_not_of('>');
  return start != std::string_view::npos && start > 0 && line.substr(start).starts_with("From ");
}

inline std::vector<MboxText> entries_of(std::string_view mbox) {
  constexpr std::string_view kMarker = "X-Popsync-Id: ";
  std::vector<MboxText> entries;
  bool first_field = false;
  while (!mbox.empty()) {
    const auto end = mbox.find('\n');
    const std::string_view line = mbox.substr(0, end);
    const std::string_view with_end = mbox.substr(0, end == std::string_view::npos ? end : end + 1);
    mbox.remove_prefix(with_end.size());
    if (line.starts_with("From ")) {
      entries.push_back({.from_line = std::string(line), .marker = {}, .message = {}});
      first_field = true;
      continue;
    }
    if (entries.empty()) continue;
    if (first_field && line.starts_with(kMarker)) {
      entries.back().marker = line.substr(kMarker.size());
    } else {
      entries.back().message += is_quoted_from(line) ? with_end.substr(1) : with_end;
    }
    first_field = false;
  }
  for (MboxText& entry : entries) {
    if (entry.message.ends_with('\n')) entry.message.pop_back();
  }
  return entries;
}

}  // namespace popsync::test
