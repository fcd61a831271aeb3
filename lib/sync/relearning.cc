// SPDX-License-Identifier: MIT
#include "sync/relearning.h"

#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "delivery/maildir_name.h"

namespace popsync::sync {
namespace {

using pop3::ListingEntry;
using state::MessageRow;
using state::RowId;

using Key = std::pair<std::string_view, std::optional<std::uint64_t>>;

// The rows of each unique-id and size, each to be used once.
class Rows {
 public:
  explicit Rows(std::span<const MessageRow> rows) {
    for (const MessageRow& row : rows) {
      auto& place = row.state == state::RowState::held ? held_ : known_;
      place[{row.uid.octets, row.list_size}].push_back(row.id);
    }
  }

  // A row without size takes the first one listed, an entry without size is any row's.
  bool stand_for(const ListingEntry& entry) {
    if (take(known_, {entry.uid.octets, entry.list_size})) return true;
    if (entry.list_size) return take(known_, {entry.uid.octets, std::nullopt}).has_value();
    const auto first = known_.lower_bound({entry.uid.octets, std::nullopt});
    for (auto at = first; at != known_.end() && at->first.first == entry.uid.octets; ++at) {
      if (take(known_, at->first)) return true;
    }
    return false;
  }

  std::optional<RowId> take_held(const ListingEntry& entry) { return take(held_, {entry.uid.octets, entry.list_size}); }

 private:
  using Places = std::map<Key, std::vector<RowId>>;

  static std::optional<RowId> take(Places& places, const Key& key) {
    const auto found = places.find(key);
    if (found == places.end() || found->second.empty()) return std::nullopt;
    const RowId row = found->second.back();
    found->second.pop_back();
    return row;
  }

  Places known_;
  Places held_;
};

}  // namespace

Relearning relearn_from_names(std::span<const ListingEntry> listing, std::span<const MessageRow> rows, std::span<const FileOfMailstore> files,
                              const TokenOwner& owner) {
  std::unordered_map<std::string_view, std::vector<const FileOfMailstore*>> by_token;
  for (const FileOfMailstore& file : files) {
    const std::string_view token = delivery::token_in(file.name);
    if (!token.empty()) by_token[token].push_back(&file);
  }
  const HmacSha256 install_key(owner.install_key);
  Rows known(rows);
  Relearning out;
  for (const ListingEntry& entry : listing) {
    if (known.stand_for(entry)) continue;
    const std::string token = delivery::make_token(install_key, owner.account_id, entry.uid.octets, entry.list_size);
    const auto found = by_token.find(token);
    if (found == by_token.end() || found->second.empty()) {
      if (!known.take_held(entry)) ++out.not_here;
      continue;
    }
    Recognised recognised{.entry = entry, .file = *found->second.back(), .replaces = {}};
    if (const auto held = known.take_held(entry)) recognised.replaces.push_back(*held);
    out.here.push_back(std::move(recognised));
    found->second.pop_back();
  }
  return out;
}

}  // namespace popsync::sync
