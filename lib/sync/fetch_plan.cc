// SPDX-License-Identifier: MIT
#include "sync/fetch_plan.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "sync/sample.h"

namespace popsync::sync {
namespace {

using pop3::ListingEntry;
using state::Doubt;
using state::MessageRow;
using state::RowState;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::chrono::hours kRenewAge{24};  // one that can never be looked at costs a write a day, not one for each poll

// Entries and rows of one unique-id; the pairs that belong together.
struct Group {
  std::vector<std::size_t> entries;
  std::vector<std::size_t> rows;
};

// A row with the prints of a stored message: one that we published, or whose file was adopted beyond doubt.
bool has_prints(const MessageRow& row) { return row.state == RowState::published || (row.state == RowState::seen && row.removable); }

// Not stored, on purpose.
bool set_aside(const MessageRow& row) { return row.state == RowState::held || row.state == RowState::skipped; }

bool may_be_removed(const MessageRow& row) { return row.removable && row.deletions < kDeletionsMax; }

bool deletion_due(const MessageRow& row, const PlanPolicy& policy) {
  if (!may_be_removed(row)) return false;
  switch (policy.leave.kind) {
    case LeavePolicy::Kind::keep: return false;
    case LeavePolicy::Kind::remove: return true;
    case LeavePolicy::Kind::remove_after: return policy.ages.age({.wall = row.stored_at, .clock = row.stored_clock}) >= policy.leave.age;
  }
  return false;
}

constexpr auto kSameSize = [](const ListingEntry& entry, const MessageRow& row) { return entry.list_size && entry.list_size == row.list_size; };

class Planner {
 public:
  Planner(std::span<const ListingEntry> listing, std::span<const MessageRow> rows, const PlanPolicy& policy)
      : listing_(listing),
        rows_(rows),
        policy_(policy),
        row_of_(listing.size(), kNone),
        entry_of_(rows.size(), kNone),
        place_of_(listing.size(), 0) {}

  std::vector<EntryName> names() {
    pair();
    std::vector<EntryName> names;
    names.reserve(listing_.size());
    if (!policy_.unique_ids) {
      pair_up(groups_[""], kSameSize);  // what is stored as well: content is not looked at here
      for (const std::size_t row : row_of_) names.push_back({.row = row == kNone ? nullptr : &rows_[row]});
      return names;
    }
    for (std::size_t i = 0; i < listing_.size(); ++i) {
      const auto& rows = groups_[listing_[i].uid.octets].rows;
      names.push_back({.row = place_of_[i] < rows.size() ? &rows_[rows[place_of_[i]]] : nullptr, .occurrence = occurrence_of(i)});
    }
    return names;
  }

  FetchPlan plan() {
    pair();
    for (std::size_t i = 0; i < listing_.size(); ++i) decide(i);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (entry_of_[i] == kNone) decide_missing(i);
    }
    std::ranges::stable_sort(plan_.fetch, {}, &Fetch::apart);
    take_sample(plan_);
    put_in_order(plan_.confirm);
    return std::move(plan_);
  }

 private:
  void pair() {
    group();
    for (auto& [uid, group] : groups_) {
      match(group);
      number(group);
    }
  }

  void group() {
    for (std::size_t i = 0; i < listing_.size(); ++i) groups_[listing_[i].uid.octets].entries.push_back(i);
    if (!policy_.unique_ids) {
      for (const ListingEntry& entry : listing_) listed_sizes_.insert(entry.list_size.value_or(0));
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) groups_[rows_[i].uid.octets].rows.push_back(i);
  }

  template <typename Predicate>
  void pair_up(const Group& group, Predicate&& fits) {
    for (const std::size_t entry : group.entries) {
      if (row_of_[entry] != kNone) continue;
      const auto row = std::ranges::find_if(group.rows, [&](std::size_t i) { return entry_of_[i] == kNone && fits(listing_[entry], rows_[i]); });
      if (row == group.rows.end()) continue;
      row_of_[entry] = *row;
      entry_of_[*row] = entry;
    }
  }

  void match(const Group& group) {
    if (group.entries.empty() || group.rows.empty()) return;
    if (!policy_.unique_ids) {  // content alone tells these messages apart; what is set aside was never stored, so its size has to do
      pair_up(group, [](const ListingEntry& entry, const MessageRow& row) { return set_aside(row) && kSameSize(entry, row); });
      return;
    }
    // Rows that were there at the last listing first: an absent one may have been replaced by another message of its size.
    pair_up(group, [&](const ListingEntry& entry, const MessageRow& row) { return !row.absent_since && kSameSize(entry, row); });
    pair_up(group, kSameSize);
    const auto any_size = [&](const ListingEntry& entry, const MessageRow& row) {
      return !entry.list_size || !row.list_size || !policy_.sizes_mean_something;
    };
    pair_up(group, [&](const ListingEntry& entry, const MessageRow& row) { return !row.absent_since && any_size(entry, row); });
    pair_up(group, any_size);
  }

  // Finds for each entry the place of its row among those of its unique-id. Where sizes fit no row, the order tells; entries without a row come
  // behind.
  void number(const Group& group) {
    for (std::size_t place = 0; place < group.rows.size(); ++place) {
      if (entry_of_[group.rows[place]] != kNone) place_of_[entry_of_[group.rows[place]]] = place;
    }
    std::size_t free = 0;
    for (const std::size_t entry : group.entries) {
      if (row_of_[entry] != kNone) continue;
      while (free < group.rows.size() && entry_of_[group.rows[free]] != kNone) ++free;
      place_of_[entry] = free++;
    }
  }

  // Messages without unique-id have no name that could be given back.
  [[nodiscard]] std::size_t occurrence_of(std::size_t index) const { return listing_[index].uid.octets.empty() ? 1 : place_of_[index] + 1; }

  void decide(std::size_t index) {
    const ListingEntry& entry = listing_[index];
    if (row_of_[index] != kNone) {
      decide_known(index, rows_[row_of_[index]]);
      return;
    }
    fetch_or_hold({.entry = entry,
                   .occurrence = occurrence_of(index),
                   .candidates = candidates_of(index),
                   .replaces = held_rows_of(index),
                   .known = false,
                   .remove_if_equal = policy_.leave.kind == LeavePolicy::Kind::remove,
                   .gave_up_deleting = false});
  }

  // Every row of the unique-id that the entry may be; on a server without unique-ids the content is looked up when it has come.
  [[nodiscard]] std::vector<Candidate> candidates_of(std::size_t index) {
    std::vector<Candidate> candidates;
    if (!policy_.unique_ids) return candidates;
    for (const std::size_t i : groups_[listing_[index].uid.octets].rows) {
      const MessageRow& row = rows_[i];
      if (row.state == RowState::held) continue;
      const bool free = entry_of_[i] == kNone || entry_of_[i] == index;
      candidates.push_back({.row = row.id,
                            .has_prints = has_prints(row),
                            .free = free,
                            .removable = may_be_removed(row),
                            .size_differs = free && row.list_size != listing_[index].list_size});
    }
    return candidates;
  }

  // Held rows of the unique-id that no entry matches: the message they stood for has another size now.
  [[nodiscard]] std::vector<state::RowId> held_rows_of(std::size_t index) {
    std::vector<state::RowId> held;
    for (const std::size_t i : groups_[listing_[index].uid.octets].rows) {
      if (policy_.unique_ids && rows_[i].state == RowState::held && entry_of_[i] == kNone) held.push_back(rows_[i].id);
    }
    return held;
  }

  [[nodiscard]] bool too_big(const ListingEntry& entry) const { return entry.list_size.value_or(0) > policy_.max_message_size; }

  void fetch_or_hold(Fetch fetch) {
    if (too_big(fetch.entry)) {
      plan_.hold.push_back({.entry = std::move(fetch.entry), .occurrence = fetch.occurrence});
      return;
    }
    plan_.octets += fetch.entry.list_size.value_or(0);
    in_doubt_.insert(fetch.entry.uid.octets);
    plan_.fetch.push_back(std::move(fetch));
  }

  void decide_known(std::size_t index, const MessageRow& row) {
    const ListingEntry& entry = listing_[index];
    if (!row.list_size && entry.list_size) plan_.first_sizes.emplace_back(row.id, *entry.list_size);
    if (row.state == RowState::held) {
      retry_held(index, row);
      return;
    }
    const bool due = deletion_due(row, policy_);
    const bool in_doubt = row.doubt != Doubt::none || row.absent_since;
    if (has_prints(row) && !policy_.hides_messages && (due || in_doubt)) {
      confirm(index, row, due);
      return;
    }
    if (row.absent_since) plan_.returned.push_back(row.id);
    ++plan_.known;
  }

  void retry_held(std::size_t index, const MessageRow& row) {
    if (row.absent_since) plan_.returned.push_back(row.id);
    if (too_big(listing_[index]) || (row.tries >= kTriesMax && !tried_again(row))) {
      ++plan_.known;
      return;
    }
    fetch_or_hold({.entry = listing_[index],
                   .occurrence = occurrence_of(index),
                   .candidates = candidates_of(index),
                   .replaces = {row.id},
                   .tries = row.tries,
                   .tried_row = row.id,
                   .apart = true,
                   .known = true,
                   .remove_if_equal = policy_.leave.kind == LeavePolicy::Kind::remove,
                   .gave_up_deleting = false});
  }

  // A later message of the same size may stand in the place of the one that is held.
  [[nodiscard]] bool tried_again(const MessageRow& row) const {
    return !policy_.unique_ids && policy_.ages.age({.wall = row.stored_at, .clock = row.stored_clock}) >= kHeldTriedAgainAfter;
  }

  void confirm(std::size_t index, const MessageRow& row, bool due) {
    // It is listed, but nothing is known before it was looked at, and the session may break before that: its absence begins anew.
    if (row.absent_since && absence_is_dated(row)) plan_.absent.push_back(row.id);
    const ListingEntry& entry = listing_[index];
    if (row.tries >= kTriesMax || too_big(entry)) {  // what cannot be looked at stays as it is, here and there
      ++plan_.known;
      return;
    }
    in_doubt_.insert(entry.uid.octets);
    Fetch fetch{.entry = entry,
                .occurrence = occurrence_of(index),
                .candidates = candidates_of(index),
                .replaces = {},
                .tries = row.tries,
                .tried_row = row.id,
                .apart = row.tries > 0 || row.top_broke,
                .known = true,
                .remove_if_equal = due,
                .gave_up_deleting = row.removable && row.deletions >= kDeletionsMax};
    const Doubt doubt = row.doubt == Doubt::none && row.absent_since ? Doubt::own : row.doubt;
    if (doubt == Doubt::none) ++plan_.known;
    if (fetch.apart) {
      plan_.octets += entry.list_size.value_or(0);
      plan_.fetch.push_back(std::move(fetch));
      return;
    }
    plan_.confirm.push_back(
        {.fetch = std::move(fetch), .by_top = row.has_message_id && !needs_content(entry), .doubt = doubt, .stored_at = row.stored_at});
  }

  // Two messages behind one unique-id, or sizes that say nothing: only the content seen in this session names the message.
  [[nodiscard]] bool needs_content(const ListingEntry& entry) {
    const Group& group = groups_[entry.uid.octets];
    return group.entries.size() > 1 || group.rows.size() > 1 || !policy_.sizes_mean_something;
  }

  // A row of this unique-id may still be needed to compare with as long as one entry has none of its own, or is looked at in this session.
  [[nodiscard]] bool all_entries_settled(const pop3::UniqueId& uid) {
    return !in_doubt_.contains(uid.octets) && std::ranges::all_of(groups_[uid.octets].entries, [&](std::size_t i) {
      return row_of_[i] != kNone && rows_[row_of_[i]].state != RowState::held;
    });
  }

  [[nodiscard]] bool absence_is_dated(const MessageRow& row) const {
    return row.absent_since_listing != policy_.complete_listings || absent_for(row) >= kRenewAge;
  }

  [[nodiscard]] bool gone_for_long(const MessageRow& row) const { return row.absent_since && absent_for(row) >= kForgetAge; }

  [[nodiscard]] std::chrono::seconds absent_for(const MessageRow& row) const {
    return policy_.ages.age({.wall = *row.absent_since, .clock = row.absent_clock});
  }

  void decide_missing(std::size_t index) {
    const MessageRow& row = rows_[index];
    // A short or empty listing proves no absence: outages and migrations show one.
    if (!policy_.unique_ids) {
      const bool gone = set_aside(row) ? !listing_.empty() && !listed_sizes_.contains(row.list_size.value_or(0)) : gone_for_long(row);
      if (gone) plan_.forget.push_back(row.id);
      return;
    }
    if (policy_.hides_messages) return;
    const bool credible = !listing_.empty() && listing_.size() * 2 >= policy_.last_listing_count;
    doubt(row, credible || row.dele_sent ? Doubt::own : Doubt::outage);
    if (!credible) return;
    plan_.counts_as_listing = true;
    if (!row.absent_since) {
      plan_.absent.push_back(row.id);
      return;
    }
    const std::uint64_t missed =
        policy_.complete_listings - std::min(policy_.complete_listings, row.absent_since_listing.value_or(policy_.complete_listings));
    if (all_entries_settled(row.uid) && missed >= kForgetListings && gone_for_long(row)) plan_.forget.push_back(row.id);
  }

  // Its unique-id may name another message when it is listed again. Of what was never stored nothing could confirm it.
  void doubt(const MessageRow& row, Doubt kind) {
    if (!has_prints(row) || row.doubt == kind || row.doubt == Doubt::own) return;
    plan_.doubts.emplace_back(row.id, kind);
  }

  std::span<const ListingEntry> listing_;
  std::span<const MessageRow> rows_;
  const PlanPolicy& policy_;
  std::unordered_map<std::string_view, Group> groups_;
  std::unordered_set<std::string> in_doubt_;        // unique-ids of what is fetched
  std::unordered_set<std::uint64_t> listed_sizes_;  // without unique-ids
  std::vector<std::size_t> row_of_;
  std::vector<std::size_t> entry_of_;
  std::vector<std::size_t> place_of_;  // of each entry, among the rows of its unique-id
  FetchPlan plan_;
};

}  // namespace

std::vector<Removal> FetchPlan::due() const {
  std::vector<Removal> due;
  for (const Confirmation& each : confirm) {
    if (each.fetch.remove_if_equal) due.push_back({.row = each.fetch.tried_row, .number = each.fetch.entry.number});
  }
  return due;
}

std::vector<EntryName> name_entries(std::span<const ListingEntry> listing, std::span<const MessageRow> rows, const PlanPolicy& policy) {
  return Planner(listing, rows, policy).names();
}

FetchPlan plan_fetch(std::span<const ListingEntry> listing, std::span<const MessageRow> rows, const PlanPolicy& policy) {
  return Planner(listing, rows, policy).plan();
}

}  // namespace popsync::sync
