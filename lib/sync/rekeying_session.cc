// SPDX-License-Identifier: MIT
#include "sync/rekeying_session.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/header_session.h"
#include "sync/top_use.h"

namespace popsync::sync {
namespace {

void add_header_prints(state::StateStore& store, const std::string& account, std::vector<UnlistedRow>& unlisted) {
  std::unordered_map<state::RowId, state::HeaderPrint> prints;
  for (state::HeaderPrint& print : store.header_prints(account)) prints.emplace(print.row, std::move(print));
  for (UnlistedRow& row : unlisted) {
    const auto found = prints.find(row.row);
    if (found != prints.end()) row.header_hash = found->second.header_hash;
  }
}

[[noreturn]] void hold(const std::string& account, std::size_t unknown) {
  throw Error(
      ErrorCode::server_permanent,
      "nearly every message has a new unique-id, the sizes are those of the messages fetched before, and the server gives no headers to tell (" +
          counted(unknown, "message") + "): nothing is fetched, because all of it might be here already",
      "if the server is being moved, wait for its end; else run `popsync seed " + account +
          "` to take what is there now for known, or `popsync refetch " + account + " --all` to fetch all of it again");
}

bool no_header(const ListedHeader& header) { return header.header_hash.empty(); }

// Empty: new mail.
std::vector<Rekeying> recognise(const RekeyingContext& context, Mismatch& mismatch, bool following) {
  add_header_prints(context.store, context.account.id, mismatch.unlisted);
  const bool comparable = std::ranges::any_of(mismatch.unlisted, [](const UnlistedRow& row) { return !row.header_hash.empty(); });
  std::vector<ListedHeader> headers;
  if (comparable && may_ask_top(context.account, context.policy.ages.now())) {
    if (context.account.marker == "uidl" || context.account.marker == "list") context.account.marker.clear();  // it may be another server now
    const net::Marker marker = context.learn_marker(mismatch.unknown.front());
    const HeaderQuestion question{.client = context.client, .account = context.account, .marker = marker, .now = context.policy.ages.now()};
    ask_for_headers(question, mismatch.unknown, kProbes, headers);
    if (!std::ranges::all_of(headers, no_header)) {
      if (!worth_asking_for_all(headers, mismatch.unlisted)) return {};
      ask_for_headers(question, mismatch.unknown, mismatch.unknown.size(), headers);
      auto found = match(headers, mismatch.unlisted, following);
      if (!found.empty()) return found;
      std::erase_if(mismatch.unlisted, [](const UnlistedRow& row) { return !row.header_hash.empty(); });
    }
  }
  if (mismatch.whole_listing && context.policy.sizes_mean_something && sizes_look_alike(mismatch.unknown, mismatch.unlisted)) {
    hold(context.account.name, mismatch.unknown.size());
  }
  return {};
}

void record(const RekeyingContext& context, std::span<const Rekeying> rekeyings) {
  std::size_t resized = 0;
  auto transaction = context.store.begin();
  for (const Rekeying& rekeying : rekeyings) {
    transaction.rekey_message(rekeying.row, rekeying.uid, rekeying.list_size);
    if (rekeying.same_size || !context.policy.sizes_mean_something) continue;
    // Only the header was compared: what may be deleted must have been seen whole.
    transaction.set_removable(rekeying.row, false);
    ++resized;
  }
  transaction.commit();
  log_warning(context.account.name,
              "the server has given its messages new unique-ids; " + counted(rekeyings.size(), "message") +
                  " recognised by header and not fetched again" +
                  (resized > 0 ? ", " + std::to_string(resized) + " of them with another size and therefore never deleted on the server" : ""));
}

}  // namespace

std::vector<Rekeying> find_rekeyings(const RekeyingContext& context, std::span<const pop3::ListingEntry> listing,
                                     std::span<const state::MessageRow> rows) {
  const bool following = context.account.rekeyings > 0;
  Mismatch mismatch = compare(listing, rows, context.policy, following);
  std::vector<Rekeying> found;
  if (mismatch.suspicious) found = recognise(context, mismatch, following);
  context.account.rekeyings = count_rekeyings(context.account.rekeyings, mismatch, !found.empty());
  return found;
}

bool follow_new_unique_ids(const RekeyingContext& context, std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows) {
  const auto found = find_rekeyings(context, listing, rows);
  if (!found.empty()) record(context, found);
  return !found.empty();
}

void apply_rekeyings(std::span<const Rekeying> rekeyings, std::vector<state::MessageRow>& rows) {
  std::unordered_map<state::RowId, const Rekeying*> by_row;
  for (const Rekeying& rekeying : rekeyings) by_row.emplace(rekeying.row, &rekeying);
  for (state::MessageRow& row : rows) {
    const auto found = by_row.find(row.id);
    if (found == by_row.end()) continue;
    row.uid = found->second->uid;
    row.list_size = found->second->list_size;
    row.removable = row.removable && found->second->same_size;
  }
}

void refuse_restless_unique_ids(const state::AccountRow& account) {
  if (account.rekeyings < kRekeyingsMax) return;
  throw Error(ErrorCode::server_permanent,
              "the server gave all its messages new unique-ids in " + std::to_string(account.rekeyings) +
                  " sessions in a row; they were recognised by their headers, which costs a look at each of them",
              "set leave_on_server = false for this account, or ask the provider why unique-ids do not last");
}

}  // namespace popsync::sync
