// SPDX-License-Identifier: MIT
#include "sync/row_names.h"

#include <charconv>

namespace popsync::sync {
namespace {

constexpr std::string_view kSize = "size:";

bool is_named_by_size(const state::MessageRow& row) {
  return row.uid.octets.empty() && row.list_size && (row.state == state::RowState::held || row.state == state::RowState::skipped);
}

template <typename Number>
std::optional<Number> take_number(std::string_view& text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// "size:N" or "size:N#k".
std::optional<MessageName> parse_size_name(std::string_view text) {
  if (!text.starts_with(kSize)) return std::nullopt;
  text.remove_prefix(kSize.size());
  const auto size = take_number<std::uint64_t>(text);
  std::optional<std::size_t> occurrence = 1;
  if (text.starts_with('#')) {
    text.remove_prefix(1);
    occurrence = take_number<std::size_t>(text);
  }
  if (!size || occurrence.value_or(0) == 0 || !text.empty()) return std::nullopt;
  return MessageName{.uid = {.uid = {}, .occurrence = *occurrence}, .list_size = size};
}

}  // namespace

std::string message_name(const pop3::UniqueId& uid, std::optional<std::uint64_t> list_size, std::size_t occurrence) {
  if (!uid.octets.empty()) return pop3::to_text(uid, occurrence);
  return list_size ? std::string(kSize) + std::to_string(*list_size) + "#" + std::to_string(occurrence) : "";
}

std::optional<MessageName> parse_message_name(std::string_view text) {
  auto by_uid = pop3::parse_unique_id_text(text);
  auto by_size = parse_size_name(text);
  if (!by_uid) return by_size;
  return MessageName{.uid = std::move(*by_uid), .list_size = by_size ? by_size->list_size : std::nullopt};
}

RowNames::RowNames(std::span<const state::MessageRow> rows) {
  std::unordered_map<std::string_view, std::size_t> of_uid;
  std::unordered_map<std::uint64_t, std::size_t> of_size;
  for (const state::MessageRow& row : rows) {
    if (row.uid.octets.empty() && !is_named_by_size(row)) continue;
    const std::size_t occurrence = row.uid.octets.empty() ? ++of_size[*row.list_size] : ++of_uid[row.uid.octets];
    if (occurrence > 1) repeated_.emplace(row.id, occurrence);
  }
}

std::size_t RowNames::occurrence(state::RowId row) const {
  const auto found = repeated_.find(row);
  return found == repeated_.end() ? 1 : found->second;
}

bool RowNames::means(const MessageName& name, const state::MessageRow& row) const {
  if (occurrence(row.id) != name.uid.occurrence) return false;
  return row.uid.octets.empty() ? is_named_by_size(row) && row.list_size == name.list_size : row.uid == name.uid.uid;
}

}  // namespace popsync::sync
