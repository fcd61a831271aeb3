// SPDX-License-Identifier: MIT
// Many sessions of one account against a maildrop that changes in between: messages come and go and return, unique-ids are used twice, used again,
// and all changed; some servers number from 1 each day; listings are short or empty; sessions break; QUIT is lost. Planned by plan_fetch() and
// matched by match(), carried out by a model of a session that knows the content of every message. Whatever happens, each message is delivered once
// and nothing is deleted that was not.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/row_dates.h"
#include "support/thoroughness.h"
#include "sync/fetch_plan.h"
#include "sync/rekeying.h"

namespace popsync::sync {
namespace {

using pop3::ListingEntry;
using pop3::MessageNumber;
using state::MessageRow;
using state::RowId;
using state::RowState;

using Content = int;

struct Message {
  Content content = 0;
  std::string uid;
  std::uint64_t size = 0;
};

struct Known {
  MessageRow row;
  std::optional<Content> content;  // what was stored; its header is as unique
};

class World {
 public:
  explicit World(std::mt19937_64& random) : random_(random) {
    policy_.max_message_size = 1ULL << 40U;
    policy_.ages = test::ages_by_date(now_);
    const std::vector<LeavePolicy> policies = {
        {}, {}, {.kind = LeavePolicy::Kind::remove, .age = {}}, {.kind = LeavePolicy::Kind::remove_after, .age = std::chrono::hours(60)}};
    policy_.leave = policies[random_() % policies.size()];
    sizes_last_ = one_in(2);
    numbers_days_ = one_in(3);
    for (int i = 0; i < 6; ++i) arrive();
  }

  void change() {
    now_ += std::chrono::hours(random_() % 40);
    policy_.ages = test::ages_by_date(now_);
    if (numbers_days_ && one_in(5)) return begin_day();
    for (std::size_t i = random_() % 4; i > 0; --i) arrive();
    if (one_in(3)) depart();
    if (one_in(8)) come_back();
    if (one_in(6)) use_again();
    if (sizes_last_ && one_in(6)) share();
    if (!sizes_last_ && one_in(20)) resize();
    if (!numbers_days_ && one_in(5)) rekey();
  }

  void session() {
    const std::vector<Message> seen = visible();
    if (seen.size() == box_.size()) whole_ = true;
    follow(seen);
    const FetchPlan plan = plan_fetch(listing_of(seen), rows(), policy_);
    record(plan, seen);
    std::vector<Removal> removals;
    if (carry_out(plan, seen, one_in(6) ? random_() % (plan.fetch.size() + plan.confirm.size() + 1) : kAll, removals)) {
      quit(seen, removals);
      if (whole_) {
        for (const Message& message : seen) EXPECT_EQ(delivered_[message.content], 1) << "content " << message.content << " as " << message.uid;
      }
    }
    whole_ = false;
  }

  // Nothing changes now: two sessions settle what is in doubt, a third has nothing to fetch but what is to be compared before it is deleted.
  void expect_rest() {
    for (int i = 0; i < 6; ++i) {
      follow(box_);
      const FetchPlan plan = plan_fetch(listing_of(box_), rows(), policy_);
      if (plan.fetch.empty() && plan.confirm.empty()) break;
      ASSERT_LT(i, 5) << "it never comes to rest";
      const auto seen = box_;
      record(plan, seen);
      std::vector<Removal> removals;
      carry_out(plan, seen, kAll, removals);
      for (const Removal& removal : removals) take_away(seen, removal);
    }
    for (const Message& message : box_) EXPECT_EQ(delivered_[message.content], 1);
    for (const auto& [content, times] : delivered_) EXPECT_LE(times, 1) << "content " << content;
  }

 private:
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

  bool one_in(unsigned n) { return random_() % n == 0; }
  std::string fresh_uid() { return "u" + std::to_string(++uids_made_); }

  // ---- what happens to the maildrop

  void arrive() {
    const Content content = ++contents_made_;
    if (numbers_days_) {
      const std::string uid = std::to_string(++number_of_day_);
      // What was never missing in a listing, nor deleted by us, cannot be told from what takes its unique-id and has its size.
      if (!missed_.contains(uid) && uids_seen_.contains(uid)) return;
      box_.push_back({.content = content, .uid = uid, .size = 1000});
      return;
    }
    box_.push_back({.content = content, .uid = fresh_uid(), .size = 1000 + static_cast<std::uint64_t>(content) % 5});
  }
  // Everything is taken out elsewhere, and the server begins with 1 again.
  void begin_day() {
    box_.clear();
    departed_.clear();
    number_of_day_ = 0;
  }
  void depart() {
    for (std::size_t i = random_() % 3; i > 0 && !box_.empty(); --i) {
      const auto gone = box_.begin() + static_cast<std::ptrdiff_t>(random_() % box_.size());
      if (delivered_[gone->content] > 0) departed_.push_back(*gone);
      box_.erase(gone);
    }
  }
  void come_back() {
    if (departed_.empty()) return;
    const Message message = departed_.back();
    departed_.pop_back();
    const bool uid_is_free = std::ranges::count(box_, message.uid, &Message::uid) == 0;
    const bool known =
        std::ranges::any_of(known_, [&](const Known& each) { return each.row.uid.octets == message.uid && each.content == message.content; });
    if (uid_is_free && known) box_.push_back(message);
  }
  // A new message under the unique-id of one that is gone: it has another size, or a listing without it came between, be it a short one, or our own
  // DELE may have taken it. Where sizes are found to change by themselves a size tells nothing.
  void use_again() {
    if (departed_.empty()) return;
    const std::string uid = departed_.front().uid;
    const std::uint64_t size = departed_.front().size;
    departed_.erase(departed_.begin());
    if (std::ranges::count(box_, uid, &Message::uid) > 0) return;
    const bool missed = missed_.contains(uid);
    if (!missed && !sizes_last_) return;
    const Content content = ++contents_made_;
    box_.push_back({.content = content, .uid = uid, .size = missed ? size : 100'000 + static_cast<std::uint64_t>(content)});
    std::erase_if(departed_, [&](const Message& message) { return message.uid == uid; });
  }
  // A new message under the unique-id of one that is there.
  void share() {
    if (box_.empty()) return;
    const std::string uid = box_[random_() % box_.size()].uid;
    const Content content = ++contents_made_;
    box_.push_back({.content = content, .uid = uid, .size = 100'000 + static_cast<std::uint64_t>(content)});
  }
  void resize() {
    if (box_.empty()) return;
    Message& message = box_[random_() % box_.size()];
    if (std::ranges::count(box_, message.uid, &Message::uid) == 1) message.size = 5'000'000 + random_() % 1'000'000;
  }
  // Noticed where three messages vanish at once. One that is in doubt already (it changed its size, and the session that would have settled it broke)
  // would be fetched again: nothing but its Message-ID tells it from another copy.
  void rekey() {
    std::size_t settled = 0;
    for (const Message& message : box_) {
      const bool fits = std::ranges::any_of(known_, [&](const Known& each) {
        return !each.row.absent_since && each.row.uid.octets == message.uid && each.content == message.content && each.row.list_size == message.size;
      });
      if (!fits && delivered_[message.content] > 0) return;
      if (fits) ++settled;
    }
    if (settled < kVanishedMin) return;
    for (Message& message : box_) message.uid = fresh_uid();
    departed_.clear();
    whole_next_ = true;
  }

  std::vector<Message> visible() {
    if (std::exchange(whole_next_, false)) return box_;
    if (one_in(12)) return {};
    if (!one_in(8)) return box_;
    return {box_.begin(), box_.begin() + static_cast<std::ptrdiff_t>(random_() % (box_.size() + 1))};
  }

  // ---- the session

  static std::vector<ListingEntry> listing_of(const std::vector<Message>& seen) {
    std::vector<ListingEntry> listing;
    for (const Message& message : seen) {
      listing.push_back({.number = MessageNumber{static_cast<std::uint32_t>(listing.size() + 1)}, .uid = {message.uid}, .list_size = message.size});
    }
    return listing;
  }
  [[nodiscard]] std::vector<MessageRow> rows() const {
    std::vector<MessageRow> out;
    for (const Known& each : known_) out.push_back(each.row);
    return out;
  }
  static std::string header_of(std::optional<Content> content) { return content ? "header " + std::to_string(*content) : ""; }

  void follow(const std::vector<Message>& seen) {
    const auto listing = listing_of(seen);
    Mismatch mismatch = compare(listing, rows(), policy_, rekeyings_ > 0);
    std::vector<Rekeying> found;
    if (mismatch.suspicious) {
      for (UnlistedRow& row : mismatch.unlisted) row.header_hash = header_of(at(row.row).content);
      std::vector<ListedHeader> headers;
      for (const ListingEntry& entry : mismatch.unknown) {
        headers.push_back({.entry = entry, .header_hash = header_of(seen[entry.number.value - 1].content), .has_message_id = true});
      }
      const auto probes = std::span(headers).first(std::min(kProbes, headers.size()));
      if (worth_asking_for_all(probes, mismatch.unlisted)) found = match(headers, mismatch.unlisted, rekeyings_ > 0);
      for (const Rekeying& each : found) {
        at(each.row).row.uid = each.uid;
        at(each.row).row.list_size = each.list_size;
        if (!each.same_size) at(each.row).row.removable = false;
      }
    }
    rekeyings_ = count_rekeyings(rekeyings_, mismatch, !found.empty());
  }

  void record(const FetchPlan& plan, const std::vector<Message>& seen) {
    if (!seen.empty()) policy_.last_listing_count = seen.size();
    if (plan.counts_as_listing) ++policy_.complete_listings;
    for (const std::string& uid : uids_seen_) missed_.insert(uid);
    for (const Message& message : seen) {
      missed_.erase(message.uid);
      uids_seen_.insert(message.uid);
    }
    for (const auto& [row, size] : plan.first_sizes) at(row).row.list_size = size;
    for (const RowId row : plan.absent) set_absent(row, true);
    for (const RowId row : plan.returned) set_absent(row, false);
    for (const auto& [row, doubt] : plan.doubts) at(row).row.doubt = doubt;
    for (const RowId row : plan.forget) std::erase_if(known_, [&](const Known& each) { return each.row.id == row; });
  }

  // False if the session breaks behind `steps` messages.
  bool carry_out(const FetchPlan& plan, const std::vector<Message>& seen, std::size_t steps, std::vector<Removal>& removals) {
    std::set<RowId> claimed;
    for (const Fetch& fetch : plan.fetch) {
      if (steps-- == 0) return false;
      retrieve(fetch, seen, claimed, removals);
    }
    for (const Confirmation& each : plan.confirm) {
      if (steps-- == 0) return false;
      const RowId row = each.fetch.tried_row;
      if (!each.by_top || at(row).content != seen[each.fetch.entry.number.value - 1].content) {
        retrieve(each.fetch, seen, claimed, removals);
        continue;
      }
      set_absent(row, false);
      at(row).row.doubt = state::Doubt::none;
      if (each.fetch.remove_if_equal) removals.push_back({.row = row, .number = each.fetch.entry.number});
    }
    return true;
  }

  void retrieve(const Fetch& fetch, const std::vector<Message>& seen, std::set<RowId>& claimed, std::vector<Removal>& removals) {
    const Content content = seen[fetch.entry.number.value - 1].content;
    for (const Candidate& candidate : fetch.candidates) {
      if (!candidate.has_prints || at(candidate.row).content != content) continue;
      settle(fetch, candidate, claimed, removals);
      return;
    }
    ++delivered_[content];
    retire(fetch.tried_row, claimed);
    const RowId row = insert(RowState::published, fetch.entry, content);
    if (policy_.leave.kind == LeavePolicy::Kind::remove) removals.push_back({.row = row, .number = fetch.entry.number});
  }

  void settle(const Fetch& fetch, const Candidate& candidate, std::set<RowId>& claimed, std::vector<Removal>& removals) {
    if (fetch.tried_row != candidate.row) retire(fetch.tried_row, claimed);
    set_absent(candidate.row, false);
    at(candidate.row).row.doubt = state::Doubt::none;
    if (candidate.size_differs && ++equal_settlements_ >= state::kEqualSettlementsMax) policy_.sizes_mean_something = false;
    if (fetch.remove_if_equal && candidate.removable) removals.push_back({.row = candidate.row, .number = fetch.entry.number});
    if (candidate.free && claimed.insert(candidate.row).second) {
      at(candidate.row).row.list_size = fetch.entry.list_size;
    } else {
      insert(RowState::seen, fetch.entry, std::nullopt);
    }
  }

  // Another message stands in its place.
  void retire(RowId row, const std::set<RowId>& claimed) {
    if (row == 0 || claimed.contains(row)) return;
    set_absent(row, true);
    at(row).row.doubt = state::Doubt::own;
  }

  void quit(const std::vector<Message>& seen, const std::vector<Removal>& removals) {
    for (const Removal& removal : removals) {
      at(removal.row).row.dele_sent = true;
      at(removal.row).row.doubt = state::Doubt::own;
    }
    if (one_in(6)) return;  // lost, and the server did nothing
    const bool confirmed = !one_in(6);
    const bool honoured = !one_in(8);
    for (const Removal& removal : removals) {
      if (honoured) take_away(seen, removal);
      if (!confirmed) continue;
      ++at(removal.row).row.deletions;
      set_absent(removal.row, true);
    }
  }

  void take_away(const std::vector<Message>& seen, const Removal& removal) {
    const Message& doomed = seen[removal.number.value - 1];
    EXPECT_EQ(delivered_[doomed.content], 1) << "deleted, content " << doomed.content << " as " << doomed.uid;
    EXPECT_TRUE(at(removal.row).row.removable);
    std::erase_if(box_, [&](const Message& message) { return message.content == doomed.content; });
    missed_.insert(doomed.uid);
    departed_.push_back(doomed);
  }

  RowId insert(RowState state, const ListingEntry& entry, std::optional<Content> content) {
    MessageRow row;
    row.id = ++rows_made_;
    row.state = state;
    row.uid = entry.uid;
    row.list_size = entry.list_size;
    row.removable = state == RowState::published;
    row.has_message_id = true;
    row.stored_at = now_;
    known_.push_back({.row = row, .content = content});
    return row.id;
  }

  void set_absent(RowId id, bool absent) {
    MessageRow& row = at(id).row;
    row.absent_since = absent ? std::optional(now_) : std::nullopt;
    row.absent_since_listing = absent ? std::optional(policy_.complete_listings) : std::nullopt;
  }

  Known& at(RowId id) {
    const auto found = std::ranges::find_if(known_, [&](const Known& each) { return each.row.id == id; });
    if (found == known_.end()) throw std::out_of_range("no row " + std::to_string(id));
    return *found;
  }

  std::mt19937_64& random_;
  WallTime now_ = from_unix_seconds(1'700'000'000);
  PlanPolicy policy_;
  std::vector<Message> box_;
  std::vector<Message> departed_;  // delivered once, gone now
  std::vector<Known> known_;
  std::map<Content, int> delivered_;
  std::uint32_t rekeyings_ = 0;
  std::uint32_t equal_settlements_ = 0;
  Content contents_made_ = 0;
  int uids_made_ = 0;
  int number_of_day_ = 0;
  std::set<std::string> uids_seen_;  // listed at least once
  std::set<std::string> missed_;     // of these, missing in the last listing, or deleted by us since
  bool numbers_days_ = false;        // unique-ids are numbers that begin with 1 each day
  RowId rows_made_ = 0;
  bool sizes_last_ = true;  // or else they change by themselves
  bool whole_ = false;
  bool whole_next_ = false;
};

constexpr std::uint64_t kSeeds = 1'000;
constexpr std::uint64_t kSeedsThorough = 300'000;

void live(std::uint64_t seed) {
  SCOPED_TRACE("POPSYNC_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  World world(random);
  for (int i = 0; i < 40 && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("session " + std::to_string(i));
    world.change();
    world.session();
  }
  world.expect_rest();
}

// A failure prints its seed; POPSYNC_SEED=n repeats it alone.
TEST(SessionModel, WhateverTheServerDoesEachMessageIsDeliveredOnceAndDeletedOnlyThen) {
  if (const char* only = std::getenv("POPSYNC_SEED"); only != nullptr) {
    live(std::stoull(only));
    return;
  }
  const std::uint64_t seeds = test::random_cases(kSeeds, kSeedsThorough);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) live(seed);
}

}  // namespace
}  // namespace popsync::sync
