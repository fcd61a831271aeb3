// SPDX-License-Identifier: MIT
#include "sync/short_listing.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "sync/rekeying.h"

namespace popsync::sync {
namespace {

using pop3::ListingEntry;

// Empty if a size is missing.
std::optional<std::uint64_t> octets_of(std::span<const ListingEntry> entries) {
  std::uint64_t octets = 0;
  for (const ListingEntry& entry : entries) {
    if (!entry.list_size) return std::nullopt;
    octets += *entry.list_size;
  }
  return octets;
}

}  // namespace

bool may_glance(const std::optional<state::KnownListing>& listing, const std::string& policy, bool due_work, WallTime now) {
  return listing && listing->policy == policy && !due_work && listing->looks < kLooksMax && listing->completed <= now &&
         now - listing->completed < kCompleteListingAge;
}

Judgement judge(const state::KnownListing& listing, const net::Glance& glance, bool pipelining) {
  if (!glance.drop || !glance.drop->octets) return {};
  const pop3::DropListing& drop = *glance.drop;
  if (listing.count == 0) return drop.count == 0 ? Judgement{.seen = Seen::nothing_new} : Judgement{};
  if (glance.last.octets.empty() || glance.last != listing.last) return {};
  if (drop.count == listing.count) return drop.octets == listing.octets ? Judgement{.seen = Seen::nothing_new} : Judgement{};
  const std::uint64_t fresh_max = pipelining ? net::kListedOneByOneMax : kListedInTurnMax;
  if (drop.count < listing.count || drop.count - listing.count > fresh_max) return {};
  const std::uint64_t fresh = drop.count - listing.count;
  // So many may be messages of ours that are back under new unique-ids; the complete listing, with which that is found out, is hardly dearer.
  if (fresh >= kVanishedMin && fresh * 100 >= drop.count * kUnknownPercentMin) return {};
  return {.seen = Seen::new_messages, .fresh = static_cast<std::uint32_t>(fresh)};
}

bool fits(const state::KnownListing& listing, const pop3::DropListing& drop, std::span<const ListingEntry> fresh,
          const std::function<bool(const pop3::UniqueId&)>& known) {
  const auto octets = octets_of(fresh);
  if (!octets || listing.octets + *octets != drop.octets) return false;
  std::unordered_set<std::string_view> uids = {listing.last.octets};
  return std::ranges::all_of(fresh, [&](const ListingEntry& entry) { return uids.insert(entry.uid.octets).second && !known(entry.uid); });
}

std::optional<state::KnownListing> known_listing(const net::MaildropListing& listing, const std::optional<pop3::DropListing>& drop,
                                                 const std::string& policy, WallTime now) {
  const auto& entries = listing.entries;
  const std::uint64_t count = entries.size();
  const bool whole = listing.unique_ids && listing.unusable_lines == 0 && (entries.empty() || entries.back().number.value == count);
  const bool told = drop && drop->count == count && drop->octets;
  const auto octets = told ? drop->octets : octets_of(entries);
  if (!whole || !octets) return std::nullopt;
  return state::KnownListing{.policy = policy,
                             .count = count,
                             .octets = *octets,
                             .last = entries.empty() ? pop3::UniqueId{} : entries.back().uid,
                             .completed = now,
                             .looks = 0};
}

state::KnownListing grown(state::KnownListing listing, const pop3::DropListing& drop, std::span<const ListingEntry> fresh) {
  ++listing.looks;
  if (fresh.empty()) return listing;
  listing.count = drop.count;
  listing.octets = drop.octets.value_or(0);
  listing.last = fresh.back().uid;
  return listing;
}

std::optional<state::KnownListing> without(state::KnownListing listing, std::span<const ListingEntry> entries,
                                           const std::optional<pop3::UniqueId>& in_front, std::span<const pop3::MessageNumber> deleted) {
  if (deleted.empty()) return listing;
  std::unordered_set<std::uint32_t> numbers;
  for (const pop3::MessageNumber number : deleted) numbers.insert(number.value);
  const ListingEntry* last = nullptr;
  for (const ListingEntry& entry : entries) {
    if (numbers.erase(entry.number.value) == 0) {
      last = &entry;
      continue;
    }
    if (!entry.list_size || *entry.list_size > listing.octets || listing.count == 0) return std::nullopt;
    listing.octets -= *entry.list_size;
    --listing.count;
  }
  if (!numbers.empty()) return std::nullopt;
  if (listing.count > 0 && last == nullptr && !in_front) return std::nullopt;
  listing.last = listing.count == 0 ? pop3::UniqueId{} : last != nullptr ? last->uid : *in_front;
  return listing;
}

}  // namespace popsync::sync
