// SPDX-License-Identifier: MIT
#include "sync/confirming.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "state/transaction.h"
#include "sync/header_session.h"
#include "sync/top_use.h"

namespace popsync::sync {

using state::Doubt;

void Confirming::run(const FetchPlan& plan) {
  const std::span<const Confirmation> waiting(plan.confirm);
  std::size_t taken = 0;
  std::size_t done = 0;
  while (taken < waiting.size() && (done == 0 || in_time())) {
    const Group group = next_group(waiting, taken);
    if (group.empty()) break;
    confirm(group);
    done += group.size();
  }
  if (asked_ && context_.account.top_breaks > 0) note_top_good(context_.account);
  left_ = plan.confirm.size() - done;
  conclude(plan);
}

bool Confirming::by_top(const Confirmation& each) const { return each.by_top && !refused_ && may_ask_top(context_.account, context_.clock.wall()); }

// The next ones in their order that the limits allow; one at least in a session, however large it is.
Confirming::Group Confirming::next_group(std::span<const Confirmation> waiting, std::size_t& taken) {
  Group group;
  for (; taken < waiting.size() && group.size() < kConfirmGroup && messages_ < context_.limits.messages; ++taken) {
    const Confirmation& each = waiting[taken];
    if (!by_top(each)) {
      const std::uint64_t size = each.fetch.entry.list_size.value_or(0);
      if (messages_ > 0 && octets_ + size > context_.limits.octets) continue;  // left for another session
      octets_ += size;
    }
    ++messages_;
    group.push_back(&each);
  }
  return group;
}

void Confirming::confirm(const Group& group) {
  const auto unproven = ask(group);
  if (!unproven.empty()) compare(unproven);
}

// Returns those that TOP did not prove, or was not asked for.
std::vector<const Confirmation*> Confirming::ask(const Group& group) {
  std::vector<const Confirmation*> unproven;
  Group asked;
  for (const Confirmation* each : group) (by_top(*each) ? asked : unproven).push_back(each);
  if (asked.empty()) return unproven;
  const auto headers = headers_of(asked);
  std::vector<Confirmed> proven;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Confirmation& each = *asked[i];
    const auto prints = context_.store.prints(each.fetch.tried_row);
    if (!prints || !is_header_of(headers[i], *prints)) {
      if (!headers[i].header_hash.empty()) unlike_.insert(each.fetch.tried_row);
      unproven.push_back(&each);
      continue;
    }
    agreed_.insert(each.fetch.tried_row);
    proven.push_back(
        {.row = each.fetch.tried_row, .uid = each.fetch.entry.uid, .in_doubt = each.doubt != Doubt::none, .gave_up = each.fetch.gave_up_deleting});
    if (each.fetch.remove_if_equal) context_.deletion.add({.row = each.fetch.tried_row, .number = each.fetch.entry.number});
  }
  context_.records.record_confirmed(proven);
  refused_ = std::ranges::all_of(headers, &ListedHeader::refused);
  return unproven;
}

std::vector<ListedHeader> Confirming::headers_of(const Group& asked) {
  std::vector<pop3::ListingEntry> entries;
  for (const Confirmation* each : asked) entries.push_back(each->fetch.entry);
  std::vector<ListedHeader> headers;
  std::optional<std::size_t> suspect;
  asked_ = true;
  const HeaderQuestion question{
      .client = context_.client, .account = context_.account, .marker = context_.learn_marker(entries.front()), .now = context_.clock.wall()};
  try {
    ask_for_headers(question, entries, entries.size(), headers, &suspect);
  } catch (const Error&) {
    if (suspect) context_.records.record_top_broke(asked[*suspect]->fetch.tried_row);
    throw;
  }
  return headers;
}

void Confirming::compare(const std::vector<const Confirmation*>& unproven) {
  std::vector<Fetch> fetches;
  for (const Confirmation* each : unproven) fetches.push_back(each->fetch);
  std::ranges::sort(fetches, {}, [](const Fetch& fetch) { return fetch.entry.number.value; });
  const Compared compared = context_.retrieve(fetches);
  for (const state::RowId row : compared.equal) {
    if (unlike_.contains(row)) note_top_difference(context_.account, context_.clock.wall());
  }
  agreed_.insert(compared.equal.begin(), compared.equal.end());
  agreed_.insert(compared.changed.begin(), compared.changed.end());
  for (const Confirmation* each : unproven) {
    if (each->doubt == Doubt::sample && compared.replaced.contains(each->fetch.tried_row)) differs_ = true;
  }
}

// What the sample says of those it was drawn for.
void Confirming::conclude(const FetchPlan& plan) {
  left_ += plan.put_off;
  if (plan.vouched.empty()) return;
  const auto waits = [&](const Confirmation& each) { return each.doubt == Doubt::sample && !agreed_.contains(each.fetch.tried_row); };
  if (differs_) {
    left_ += plan.vouched.size();  // each is looked at, from the next session on
  } else if (std::ranges::none_of(plan.confirm, waits)) {
    context_.records.record_doubt(plan.vouched, Doubt::none);
  }
}

}  // namespace popsync::sync
