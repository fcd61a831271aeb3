// SPDX-License-Identifier: MIT
// What messages are called: by their unique-id, and where it is repeated the k-th row of it is UID#k. On a server without UIDL a message that is held
// or skipped is called by its size in the listing, size:N#k, for nothing else is known of it. Rows come in the order in which their messages were
// first listed or stored, so a name stays while the rows before it do. Entries of a listing have the names of their rows: name_entries().
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "state/rows.h"

namespace popsync::sync {

// "UID", "UID#2"; without a unique-id "size:4711#1", and "" where there is no size either.
std::string message_name(const pop3::UniqueId& uid, std::optional<std::uint64_t> list_size, std::size_t occurrence);

struct MessageName {
  pop3::UniqueIdText uid;                  // as it is read as a unique-id
  std::optional<std::uint64_t> list_size;  // ... and as a size: of a server without UIDL
};
// Either may be meant, and a row decides. Empty if the text is of neither form; "size:N" is "size:N#1".
std::optional<MessageName> parse_message_name(std::string_view text);

class RowNames {
 public:
  // All rows of one account, in their order.
  explicit RowNames(std::span<const state::MessageRow> rows);

  // k of UID#k or size:N#k; 1 for a row that is not there.
  [[nodiscard]] std::size_t occurrence(state::RowId row) const;
  [[nodiscard]] std::string of(state::RowId row, const pop3::UniqueId& uid, std::optional<std::uint64_t> list_size) const {
    return message_name(uid, list_size, occurrence(row));
  }
  // Is the row called so?
  [[nodiscard]] bool means(const MessageName& name, const state::MessageRow& row) const;

 private:
  std::unordered_map<state::RowId, std::size_t> repeated_;  // those that are not the first
};

}  // namespace popsync::sync
