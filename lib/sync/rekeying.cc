// SPDX-License-Identifier: MIT
#include "sync/rekeying.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace popsync::sync {
namespace {

using pop3::ListingEntry;
using state::MessageRow;

// Sizes by unique-id.
using Listed = std::unordered_multimap<std::string_view, std::optional<std::uint64_t>>;

bool fits(const Listed& side, std::string_view uid, std::optional<std::uint64_t> size, bool sizes_mean_something) {
  const auto [begin, end] = side.equal_range(uid);
  return std::any_of(begin, end, [&](const auto& other) { return !sizes_mean_something || !size || !other.second || size == other.second; });
}

void add_unlisted(std::span<const ListingEntry> listing, std::span<const MessageRow> rows, const PlanPolicy& policy, std::vector<UnlistedRow>& out) {
  Listed of_listing;
  for (const ListingEntry& entry : listing) of_listing.emplace(entry.uid.octets, entry.list_size);
  for (const MessageRow& row : rows) {
    if (fits(of_listing, row.uid.octets, row.list_size, policy.sizes_mean_something)) continue;
    out.push_back(
        {.row = row.id, .uid = row.uid, .list_size = row.list_size, .vanished = !row.absent_since, .dele_sent = row.dele_sent, .header_hash = {}});
  }
  std::ranges::stable_sort(out, {}, [](const UnlistedRow& row) { return !row.vanished; });
}

// Pairs up what is left of both sides, each once.
class Matcher {
 public:
  Matcher(std::span<const ListedHeader> headers, std::span<const UnlistedRow> unlisted)
      : headers_(headers), unlisted_(unlisted), entry_used_(headers.size()), row_used_(unlisted.size()) {}

  void match_by_header(bool following) {
    group();
    for (auto& [hash, group] : groups_) {
      set_aside_same_unique_ids(group);
      pair_equal_sizes(group.entries, group.rows);
    }
    if (!found_most()) return;
    for (auto& [hash, group] : groups_) {
      if (headers_[group.entries.front()].has_message_id) pair_the_rest(group, following);
    }
  }

  // Rows without a header hash (seeded, held). Only those that were listed last time: long gone ones of that size say nothing.
  void match_by_size() {
    std::vector<std::size_t> entries;
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < headers_.size(); ++i) {
      if (!entry_used_[i]) entries.push_back(i);
    }
    for (std::size_t i = 0; i < unlisted_.size(); ++i) {
      if (!row_used_[i] && unlisted_[i].vanished && unlisted_[i].header_hash.empty()) rows.push_back(i);
    }
    pair_equal_sizes(entries, rows);
  }

  [[nodiscard]] bool found_any(bool following) const {
    for (std::size_t i = 0; i < unlisted_.size(); ++i) {
      if (row_used_[i] && (unlisted_[i].vanished || following)) return true;
    }
    return false;
  }

  // Are the headers of most vanished rows in the listing? If not, a header found again may be another copy of a message (one to us, one by a list).
  [[nodiscard]] bool found_most() const {
    std::size_t all = 0;
    std::size_t found = 0;
    for (const UnlistedRow& row : unlisted_) {
      if (!row.vanished || row.header_hash.empty()) continue;
      ++all;
      if (groups_.contains(row.header_hash)) ++found;
    }
    return all > 0 && found * 2 >= all;
  }

  std::vector<Rekeying> take() { return std::move(out_); }

 private:
  // Messages and rows of one header hash.
  struct Group {
    std::vector<std::size_t> entries;
    std::vector<std::size_t> rows;
  };

  void group() {
    for (std::size_t i = 0; i < headers_.size(); ++i) {
      if (!headers_[i].header_hash.empty()) groups_[headers_[i].header_hash].entries.push_back(i);
    }
    for (std::size_t i = 0; i < unlisted_.size(); ++i) {
      const auto group = groups_.find(unlisted_[i].header_hash);
      if (group == groups_.end()) continue;
      // A row whose message our own DELE may have taken, and a message that nothing but its octets tells from another: it may be a second copy, and
      // as the first one it would be deleted unfetched. Twice is better than never.
      if (unlisted_[i].dele_sent && !headers_[group->second.entries.front()].has_message_id) continue;
      group->second.rows.push_back(i);
    }
  }

  // The same unique-id and the same header, only another size: that is no new unique-id, and the content decides (fetch_plan.h).
  void set_aside_same_unique_ids(Group& group) {
    for (const std::size_t entry : group.entries) {
      const auto row = std::ranges::find_if(group.rows, [&](std::size_t i) { return unlisted_[i].uid == headers_[entry].entry.uid; });
      if (row == group.rows.end()) continue;
      entry_used_[entry] = true;
      group.rows.erase(row);
    }
  }

  void pair_the_rest(const Group& group, bool following) {
    std::vector<std::size_t> entries;
    std::vector<std::size_t> rows;
    std::ranges::copy_if(group.entries, std::back_inserter(entries), [&](std::size_t i) { return !entry_used_[i]; });
    std::ranges::copy_if(group.rows, std::back_inserter(rows), [&](std::size_t i) { return !row_used_[i] && (unlisted_[i].vanished || following); });
    if (entries.size() > rows.size()) return;  // one of them is new, and nothing tells which
    for (std::size_t i = 0; i < entries.size(); ++i) pair(entries[i], rows[i]);
  }

  void pair_equal_sizes(const std::vector<std::size_t>& entries, const std::vector<std::size_t>& rows) {
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> by_size;
    for (std::size_t i = rows.size(); i-- > 0;) {
      const std::size_t row = rows[i];
      if (unlisted_[row].list_size) by_size[*unlisted_[row].list_size].push_back(row);
    }
    for (const std::size_t entry : entries) {
      if (entry_used_[entry] || !headers_[entry].entry.list_size) continue;
      const auto found = by_size.find(*headers_[entry].entry.list_size);
      if (found == by_size.end() || found->second.empty()) continue;
      pair(entry, found->second.back());
      found->second.pop_back();
    }
  }

  void pair(std::size_t entry, std::size_t row) {
    entry_used_[entry] = true;
    row_used_[row] = true;
    const ListingEntry& listed = headers_[entry].entry;
    out_.push_back({.row = unlisted_[row].row,
                    .uid = listed.uid,
                    .list_size = listed.list_size,
                    .same_size = listed.list_size && listed.list_size == unlisted_[row].list_size});
  }

  std::span<const ListedHeader> headers_;
  std::span<const UnlistedRow> unlisted_;
  std::map<std::string_view, Group> groups_;
  std::vector<bool> entry_used_;
  std::vector<bool> row_used_;
  std::vector<Rekeying> out_;
};

}  // namespace

Mismatch compare(std::span<const ListingEntry> listing, std::span<const MessageRow> rows, const PlanPolicy& policy, bool following) {
  Mismatch out;
  if (!policy.unique_ids || policy.hides_messages) return out;  // there, absence proves nothing
  Listed of_rows;
  for (const MessageRow& row : rows) of_rows.emplace(row.uid.octets, row.list_size);
  for (const ListingEntry& entry : listing) {
    if (!fits(of_rows, entry.uid.octets, entry.list_size, policy.sizes_mean_something)) out.unknown.push_back(entry);
  }
  const bool most_unknown = !out.unknown.empty() && out.unknown.size() * 100 >= listing.size() * kUnknownPercentMin;
  if (out.unknown.empty() || (!most_unknown && !following)) return out;
  add_unlisted(listing, rows, policy, out.unlisted);
  const auto vanished = static_cast<std::size_t>(std::ranges::count_if(out.unlisted, &UnlistedRow::vanished));
  out.whole_listing = most_unknown && vanished >= kVanishedMin;
  out.suspicious = out.whole_listing || (following && !out.unlisted.empty());
  return out;
}

bool worth_asking_for_all(std::span<const ListedHeader> probes, std::span<const UnlistedRow> unlisted) {
  std::unordered_set<std::string_view> hashes;
  std::set<std::uint64_t> sizes;
  for (const UnlistedRow& row : unlisted) {
    if (!row.header_hash.empty()) {
      hashes.insert(row.header_hash);
    } else if (row.vanished && row.list_size) {
      sizes.insert(*row.list_size);
    }
  }
  return std::ranges::any_of(probes, [&](const ListedHeader& probe) {
    return (!probe.header_hash.empty() && hashes.contains(probe.header_hash)) || (probe.entry.list_size && sizes.contains(*probe.entry.list_size));
  });
}

std::vector<Rekeying> match(std::span<const ListedHeader> headers, std::span<const UnlistedRow> unlisted, bool following) {
  Matcher matcher(headers, unlisted);
  matcher.match_by_header(following);
  if (!matcher.found_any(following)) return {};
  if (matcher.found_most()) matcher.match_by_size();
  return matcher.take();
}

bool sizes_look_alike(std::span<const ListingEntry> unknown, std::span<const UnlistedRow> unlisted) {
  std::multiset<std::uint64_t> sizes;
  std::size_t rows = 0;
  for (const UnlistedRow& row : unlisted) {
    if (!row.vanished || row.dele_sent) continue;
    ++rows;
    if (row.list_size) sizes.insert(*row.list_size);
  }
  if (rows < kVanishedMin) return false;
  std::size_t equal = 0;
  for (const ListingEntry& entry : unknown) {
    const auto found = entry.list_size ? sizes.find(*entry.list_size) : sizes.end();
    if (found == sizes.end()) continue;
    sizes.erase(found);
    ++equal;
  }
  // Of both sides: a few new messages always find their sizes among thousands of rows.
  return equal * 2 >= std::max(unknown.size(), rows);
}

std::uint32_t count_rekeyings(std::uint32_t before, const Mismatch& mismatch, bool rekeyed) {
  if (rekeyed) return mismatch.whole_listing ? before + 1 : std::max(before, 1U);
  return mismatch.unknown.empty() ? std::min(before, 1U) : 0;
}

}  // namespace popsync::sync
