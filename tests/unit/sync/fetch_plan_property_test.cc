// SPDX-License-Identifier: MIT
// Carrying a plan out and planning again fetches nothing: tried on random listings and rows, carried out by a model of a session that keeps the rows
// in a vector and knows the content of every message.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/row_dates.h"
#include "sync/fetch_plan.h"

namespace popsync::sync {
namespace {

using pop3::ListingEntry;
using pop3::MessageNumber;
using state::MessageRow;
using state::RowId;
using state::RowState;

using Content = int;
constexpr std::uint64_t kLimit = 1000;
const WallTime kNow = from_unix_seconds(1'700'000'000);

struct KnownMessage {
  MessageRow row;
  Content content = 0;
};

class Model {
 public:
  Model(std::mt19937_64& random, LeavePolicy::Kind leave) : random_(random) {
    policy_.leave.kind = leave;
    policy_.max_message_size = kLimit;
    policy_.ages = test::ages_by_date(kNow);
    policy_.complete_listings = 20;
    policy_.hides_messages = one_in(5);
    policy_.sizes_mean_something = !one_in(5);
    for (int group = 0; group < 8; ++group) add_group("uid" + std::to_string(group));
    std::ranges::shuffle(listing_, random_);
    for (std::uint32_t i = 0; i < listing_.size(); ++i) listing_[i].number = MessageNumber{i + 1};
    std::ranges::shuffle(known_, random_);
    policy_.last_listing_count = random_() % 20;
  }

  [[nodiscard]] FetchPlan plan() const {
    std::vector<MessageRow> rows;
    for (const KnownMessage& each : known_) rows.push_back(each.row);
    return plan_fetch(listing_, rows, policy_);
  }

  // What a session does with a plan, and a server that honours DELE.
  void carry_out(const FetchPlan& plan) {
    if (plan.counts_as_listing) ++policy_.complete_listings;
    for (const auto& [row, size] : plan.first_sizes) at(row).row.list_size = size;
    for (const RowId row : plan.absent) set_absent(row, true);
    for (const RowId row : plan.returned) set_absent(row, false);
    for (const auto& [row, doubt] : plan.doubts) at(row).row.doubt = doubt;
    for (const RowId row : plan.forget) erase(row);
    for (const Hold& hold : plan.hold) insert(RowState::held, hold.entry, content_.at(hold.entry.number.value));
    std::vector<Removal> removals;
    for (const Fetch& fetch : plan.fetch) retrieve(fetch, removals);
    for (const Confirmation& each : plan.confirm) retrieve(each.fetch, removals);
    for (const Removal& removal : removals) {
      set_absent(removal.row, true);
      ++at(removal.row).row.deletions;
      std::erase_if(listing_, [&](const ListingEntry& entry) { return entry.number == removal.number; });
    }
    policy_.last_listing_count = listing_.size();
  }

  // How many rows know the message that an entry stands for.
  [[nodiscard]] std::ptrdiff_t rows_of(const ListingEntry& entry) const {
    return std::ranges::count(known_, content_.at(entry.number.value), &KnownMessage::content);
  }
  [[nodiscard]] const std::vector<ListingEntry>& listing() const { return listing_; }
  [[nodiscard]] const std::vector<KnownMessage>& known() const { return known_; }
  void number_contents() {
    for (std::size_t i = 0; i < listing_.size(); ++i)
      content_[listing_[i].number.value] = contents_.at(listing_[i].uid.octets).at(size_key(listing_[i]));
  }

 private:
  bool one_in(unsigned n) { return random_() % n == 0; }
  static std::uint64_t size_key(const ListingEntry& entry) { return entry.list_size.value_or(0); }

  // Messages of one unique-id. What no client could tell apart (equal sizes behind one unique-id, sizes that are not listed) is left out: there the
  // content decides only when the size gives a reason to look.
  void add_group(const std::string& uid) {
    const std::size_t entries = one_in(4) ? 2 + random_() % 2 : random_() % 2;
    bool sizes_listed = true;
    for (std::size_t i = 0; i < entries; ++i) {
      const std::uint64_t size = 10 + 100 * i + (one_in(6) ? kLimit : 0);
      const bool alone = entries == 1;
      const bool listed = !alone || !one_in(5);
      sizes_listed = sizes_listed && listed;
      const Content content = ++contents_made_;
      listing_.push_back({.number = {}, .uid = {uid}, .list_size = listed ? std::optional(size) : std::nullopt});
      contents_[uid][listed ? size : 0] = content;
      if (!one_in(3)) add_row(uid, size, content, alone);
    }
    if (policy_.sizes_mean_something && sizes_listed && (entries == 0 || one_in(4))) add_vanished(uid);
  }

  void add_row(const std::string& uid, std::uint64_t size, Content content, bool alone) {
    MessageRow row = new_row(uid, size);
    if (alone && one_in(4)) row.list_size.reset();
    const bool changed = alone && row.list_size && size < kLimit && one_in(4);
    if (changed) row.list_size = size + 1;
    if (row.state != RowState::held && one_in(5)) mark_absent(row);
    known_.push_back({.row = row, .content = content});
  }

  void add_vanished(const std::string& uid) {
    MessageRow row = new_row(uid, 7777);
    if (row.state == RowState::held) row.state = RowState::published;
    if (one_in(2)) mark_absent(row);
    known_.push_back({.row = row, .content = ++contents_made_});
  }

  MessageRow new_row(const std::string& uid, std::uint64_t size) {
    MessageRow row;
    row.id = ++rows_made_;
    row.uid = {uid};
    row.list_size = size;
    row.stored_at = kNow - std::chrono::hours(random_() % 2000);
    const std::vector<RowState> states = {RowState::published, RowState::published, RowState::published, RowState::seen, RowState::skipped};
    row.state = states[random_() % states.size()];
    if (one_in(6)) {
      row.state = RowState::held;
      row.tries = size > kLimit ? 0 : kTriesMax - static_cast<std::uint32_t>(random_() % 2);
    }
    row.removable = row.state == RowState::published && !one_in(4);
    if (row.removable) row.deletions = static_cast<std::uint32_t>(random_() % (kDeletionsMax + 1));
    return row;
  }

  void mark_absent(MessageRow& row) {
    row.absent_since = kNow - std::chrono::hours(24 * (random_() % 60));
    row.absent_since_listing = random_() % 20;
  }

  void retrieve(const Fetch& fetch, std::vector<Removal>& removals) {
    const Content content = content_.at(fetch.entry.number.value);
    for (const Candidate& candidate : fetch.candidates) {
      if (!candidate.has_prints || !has(candidate.row) || at(candidate.row).content != content) continue;
      set_absent(candidate.row, false);
      at(candidate.row).row.doubt = state::Doubt::none;
      if (candidate.free && fetch.entry.list_size) at(candidate.row).row.list_size = fetch.entry.list_size;
      if (fetch.remove_if_equal && candidate.removable) {
        EXPECT_TRUE(at(candidate.row).row.removable);
        EXPECT_LT(at(candidate.row).row.deletions, kDeletionsMax);
        removals.push_back({.row = candidate.row, .number = fetch.entry.number});
      }
      return;
    }
    for (const RowId row : fetch.replaces) erase(row);
    for (const Candidate& candidate : fetch.candidates) {
      if (candidate.free) erase(candidate.row);
    }
    const RowId row = insert(RowState::published, fetch.entry, content);
    if (policy_.leave.kind == LeavePolicy::Kind::remove) removals.push_back({.row = row, .number = fetch.entry.number});
  }

  RowId insert(RowState state, const ListingEntry& entry, Content content) {
    MessageRow row;
    row.id = ++rows_made_;
    row.state = state;
    row.uid = entry.uid;
    row.list_size = entry.list_size;
    row.removable = state == RowState::published;
    row.stored_at = kNow;
    known_.push_back({.row = row, .content = content});
    return row.id;
  }

  void set_absent(RowId id, bool absent) {
    MessageRow& row = at(id).row;
    row.absent_since = absent ? std::optional(kNow) : std::nullopt;
    row.absent_since_listing = absent ? std::optional(policy_.complete_listings) : std::nullopt;
  }

  void erase(RowId id) {
    std::erase_if(known_, [&](const KnownMessage& each) { return each.row.id == id; });
  }

  // A row may have been replaced by another message of this session.
  [[nodiscard]] bool has(RowId id) const {
    return std::ranges::any_of(known_, [&](const KnownMessage& each) { return each.row.id == id; });
  }

  KnownMessage& at(RowId id) {
    const auto found = std::ranges::find_if(known_, [&](const KnownMessage& each) { return each.row.id == id; });
    if (found == known_.end()) throw std::out_of_range("no row " + std::to_string(id));
    return *found;
  }

  std::mt19937_64& random_;
  PlanPolicy policy_;
  std::vector<ListingEntry> listing_;
  std::vector<KnownMessage> known_;
  std::map<std::string, std::map<std::uint64_t, Content>> contents_;  // by unique-id and listed size
  std::map<std::uint32_t, Content> content_;                          // by message-number
  RowId rows_made_ = 0;
  Content contents_made_ = 0;
};

constexpr int kRounds = 5000;

TEST(FetchPlanProperty, CarriedOutAndPlannedAgainItFetchesAndHoldsNothing) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < kRounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Model model(random, LeavePolicy::Kind::keep);
    model.number_contents();
    model.carry_out(model.plan());
    for (const ListingEntry& entry : model.listing()) {
      EXPECT_EQ(model.rows_of(entry), 1) << "message " << entry.number.value << " " << entry.uid.octets;
    }
    const FetchPlan again = model.plan();
    EXPECT_TRUE(again.fetch.empty());
    EXPECT_TRUE(again.hold.empty());
    EXPECT_TRUE(again.confirm.empty());
    EXPECT_TRUE(again.first_sizes.empty());
  }
}

TEST(FetchPlanProperty, FetchedAndDeletedTheMaildropStaysEmptyOfWhatIsDue) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < kRounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Model model(random, LeavePolicy::Kind::remove);
    model.number_contents();
    model.carry_out(model.plan());
    const FetchPlan again = model.plan();
    EXPECT_TRUE(again.fetch.empty());
    EXPECT_TRUE(again.hold.empty());
  }
}

TEST(FetchPlanProperty, OnlyRemovableRowsThatAreListedAreDeleted) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    const Model model(random, LeavePolicy::Kind::remove);
    for (const Removal& removal : model.plan().due()) {
      const auto known = std::ranges::find_if(model.known(), [&](const KnownMessage& each) { return each.row.id == removal.row; });
      ASSERT_NE(known, model.known().end());
      EXPECT_TRUE(known->row.removable);
      EXPECT_LT(known->row.deletions, kDeletionsMax);
      const auto entry = std::ranges::find(model.listing(), removal.number, &ListingEntry::number);
      ASSERT_NE(entry, model.listing().end());
      EXPECT_EQ(entry->uid, known->row.uid);
    }
  }
}

TEST(FetchPlanProperty, EveryListedMessageIsFetchedHeldOrKnownAndOnlyOnce) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    const Model model(random, random() % 2 == 0 ? LeavePolicy::Kind::keep : LeavePolicy::Kind::remove);
    const FetchPlan plan = model.plan();
    std::vector<std::uint32_t> numbers;
    for (const Fetch& fetch : plan.fetch) numbers.push_back(fetch.entry.number.value);
    EXPECT_TRUE(std::ranges::is_sorted(plan.fetch, {}, [](const Fetch& fetch) { return std::pair(fetch.apart, fetch.entry.number.value); }));
    for (const Hold& hold : plan.hold) numbers.push_back(hold.entry.number.value);
    for (const Confirmation& each : plan.confirm) numbers.push_back(each.fetch.entry.number.value);
    std::ranges::sort(numbers);
    EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end());
    EXPECT_LE(numbers.size() + plan.known, model.listing().size() + plan.due().size());
  }
}

}  // namespace
}  // namespace popsync::sync
