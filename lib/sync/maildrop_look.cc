// SPDX-License-Identifier: MIT
#include "sync/maildrop_look.h"

#include <algorithm>

#include "sync/fetch_plan.h"
#include "sync/plan_policy.h"
#include "sync/session_opening.h"
#include "sync/short_listing.h"

namespace popsync::sync {
namespace {

// All that decides what is done with a message. With another server the message-numbers mean nothing either.
std::string policy_text(const AccountSettings& settings) {
  return settings.leave_text + "|" + std::to_string(settings.max_message_size) + "|" + (settings.skip_first_message ? "skip|" : "|") +
         place_of(settings);
}

bool deletion_due(state::StateStore& store, const Clock& clock, const std::string& account, const LeavePolicy& leave, std::uint64_t size_max) {
  if (leave.kind == LeavePolicy::Kind::keep) return false;
  const auto oldest = store.oldest_removable(account, {.deletions_max = kDeletionsMax, .tries_max = kTriesMax, .message_size_max = size_max});
  if (oldest.empty() || leave.kind == LeavePolicy::Kind::remove) return !oldest.empty();
  const RowAges ages = row_ages(&store, clock);
  return std::ranges::any_of(oldest, [&](const state::TakenTime& stored) { return ages.age(stored) >= leave.age; });
}

// Empty: the glance does not tell.
std::optional<MaildropLook> short_look(const LookContext& context, const state::KnownListing& last, const net::Glance& glance) {
  const Judgement judgement = judge(last, glance, context.client.pipelining());
  if (judgement.seen == Seen::unclear) return std::nullopt;
  net::MaildropListing listing{.entries = {}, .complete = false};
  if (judgement.seen == Seen::new_messages) {
    auto fresh = context.client.listing_of({last_number(last).value + 1}, judgement.fresh);
    const auto known = [&](const pop3::UniqueId& uid) { return context.store.knows(context.account.id, uid); };
    if (!fresh || !fits(last, *glance.drop, fresh->entries, known)) return std::nullopt;
    listing = std::move(*fresh);
  }
  auto maildrop = grown(last, *glance.drop, listing.entries);
  return MaildropLook{.listing = std::move(listing), .maildrop = std::move(maildrop), .in_front = last.last};
}

MaildropLook complete_look(const LookContext& context, const std::optional<pop3::DropListing>& drop) {
  MaildropLook look{.listing = context.client.listing(context.beside, context.meanwhile, drop), .maildrop = {}, .in_front = {}};
  look.maildrop = known_listing(look.listing, drop, policy_text(context.settings), context.clock.wall());
  leave_out_first(look.listing, context.settings);
  return look;
}

}  // namespace

std::optional<state::KnownListing> listing_to_compare(state::StateStore& store, const Clock& clock, const AccountSettings& settings,
                                                      const state::AccountRow& account, const state::ServerMemory& memory) {
  // Where `UIDL n` was not found to be answered as it should, the answer could be the whole list.
  const bool answered = memory.listing && (memory.listing->count == 0 || account.marker == "uidl");
  const auto due_work = [&] {
    // While unique-ids have changed lately, an unknown one is no new message yet.
    return account.rekeyings > 0 || store.has(account.id, {.tries_max = kTriesMax, .message_size_max = settings.max_message_size}) ||
           deletion_due(store, clock, account.id, leave_policy(settings), settings.max_message_size);
  };
  if (!answered || !may_glance(memory.listing, policy_text(settings), due_work(), clock.wall())) return std::nullopt;
  return memory.listing;
}

pop3::MessageNumber last_number(const state::KnownListing& listing) { return {static_cast<std::uint32_t>(listing.count)}; }

MaildropLook look_at_maildrop(const LookContext& context, const std::optional<state::KnownListing>& last) {
  if (!last) return complete_look(context, {});
  const net::Glance glance = context.client.glance(last_number(*last));
  if (auto look = short_look(context, *last, glance)) {
    if (context.meanwhile) context.meanwhile();
    return std::move(*look);
  }
  return complete_look(context, glance.drop);
}

}  // namespace popsync::sync
