// SPDX-License-Identifier: MIT
#include "sync/session_records.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/format.h"
#include "base/log.h"
#include "sync/pieces.h"
#include "sync/row_names.h"

namespace popsync::sync {
namespace {

// If one of a sample is another message, each of those that it was to speak for is looked at. That is written in the commit which retires the row:
// killed between two commits, what is left of the sample would agree.
std::vector<state::RowId> left_by_a_failed_sample(state::StateStore& store, const std::string& account, const std::set<state::RowId>& replaced) {
  std::vector<state::RowId> left;
  if (replaced.empty()) return left;
  bool failed = false;
  for (const state::MessageRow& row : store.messages(account)) {
    if (row.doubt != state::Doubt::sample && row.doubt != state::Doubt::vouched) continue;
    failed = failed || (row.doubt == state::Doubt::sample && replaced.contains(row.id));
    left.push_back(row.id);
  }
  if (!failed) left.clear();
  return left;
}

}  // namespace

void SessionRecords::record_plan(const FetchPlan& plan, const net::MaildropListing& listing, const std::function<void()>& look) {
  if (listing.complete && !listing.entries.empty()) account_.last_listing_count = listing.entries.size();
  if (plan.counts_as_listing) ++account_.complete_listings;
  if (!plan.changes_rows()) return;
  // First, and all together: a sample without those it speaks for would prove too much. Rows in doubt that are not absent yet do no harm.
  if (!plan.doubts.empty()) record_doubts(plan.doubts, look);
  Pieces pieces(store_, look);
  const ClockReading now = clock_.reading();
  for (const auto& [row, size] : plan.first_sizes) pieces.next().set_list_size(row, size);
  for (const state::RowId row : plan.absent) pieces.next().set_absent(row, now, account_.complete_listings);
  for (const state::RowId row : plan.returned) pieces.next().set_absent(row, std::nullopt, 0);
  for (const state::RowId row : plan.forget) pieces.next().erase_message(row);
  for (const Hold& hold : plan.hold) warn_too_big(hold.entry, pieces.next().insert_known(too_big(hold.entry)));
  pieces.commit();
  tell_warnings();
}

void SessionRecords::record_doubts(const std::vector<std::pair<state::RowId, state::Doubt>>& doubts, const std::function<void()>& look) {
  look();
  auto transaction = store_.begin();
  for (const auto& [row, doubt] : doubts) transaction.set_doubt(row, doubt);
  transaction.commit();
}

std::string SessionRecords::size_limit() const { return settings_.size_limit + " (" + human_octets(settings_.max_message_size) + ")"; }

void SessionRecords::warn_too_big(const pop3::ListingEntry& entry, state::RowId row) {
  const std::string limit = size_limit();
  warn(MessageTrouble::too_big, entry, row, [size = human_octets(entry.list_size.value_or(0)), limit](const std::string& name) {
    return "message " + name + " (listed with " + size + ") is held: larger than " + limit;
  });
}

state::NewKnown SessionRecords::too_big(const pop3::ListingEntry& entry) const {
  return {.account = account_.id,
          .state = state::RowState::held,
          .uid = entry.uid,
          .list_size = entry.list_size,
          .reason = "larger than " + size_limit(),
          .tries = 0,
          .at = clock_.reading()};
}

void SessionRecords::record_broken(const Fetch& fetch, const std::string& reason) {
  auto transaction = store_.begin();
  record_try(transaction, fetch, reason);
  transaction.commit();
  tell_warnings();
}

void SessionRecords::hold_oversized(const Fetch& fetch, const std::string& reason) {
  auto transaction = store_.begin();
  state::NewKnown row = too_big(fetch.entry);
  if (!reason.empty()) row.reason = reason;
  row.tries = kTriesMax;  // its listed size is a lie, so only this keeps the next session from trying again
  const state::RowId id = fetch.tried_row == 0 ? transaction.insert_known(row) : fetch.tried_row;
  if (fetch.tried_row != 0) transaction.set_tries(id, row.reason, row.tries);
  if (fetch.entry.uid.octets.empty()) transaction.date_try(id, clock_.reading());
  warn_too_big(fetch.entry, id);
  transaction.commit();
  tell_warnings();
}

std::vector<Removal> SessionRecords::record_settled(const MessageIntake& intake) {
  std::vector<Removal> removals;
  const std::size_t uncounted = intake.refused() - intake.refusals().size();
  if (uncounted > 0) {
    log_warning(settings_.name, "the server refuses " + counted(uncounted, "message") + (intake.refusals().empty() ? "" : " more") +
                                    ", a limit of its own perhaps; tried again in the next session");
  }
  const Compared compared = intake.compared();
  if (intake.settled().empty() && intake.refusals().empty() && compared.replaced.empty()) return removals;
  const auto left = left_by_a_failed_sample(store_, account_.id, compared.replaced);
  auto transaction = store_.begin();
  for (const state::RowId row : left) transaction.set_doubt(row, state::Doubt::own);
  for (const state::RowId row : compared.replaced) retire(transaction, row);
  for (const Settled& settled : intake.settled()) record_one(transaction, settled, removals);
  for (const Refused& refused : intake.refusals()) record_try(transaction, *refused.fetch, refused.reason);
  transaction.commit();
  tell_warnings();
  return removals;
}

void SessionRecords::record_one(state::Transaction& transaction, const Settled& settled, std::vector<Removal>& removals) {
  const Candidate& row = *settled.identification.row;
  transaction.set_absent(row.row, std::nullopt, 0);
  transaction.set_doubt(row.row, state::Doubt::none);
  for (const state::RowId held : settled.replaces) transaction.erase_message(held);
  if (settled.tried) transaction.set_tries(row.row, "", 0);
  if (settled.identification.verdict == Verdict::changed) {
    warn(MessageTrouble::changed, settled.entry, row.row, [](const std::string& name) {
      return "message " + name + " was changed on its way to us or on the server since it was stored; the first copy is kept and nothing is deleted";
    });
    transaction.set_removable(row.row, false);
  } else {
    if (row.size_differs) ++account_.equal_settlements;
    if (settled.gave_up) warn_of_undeletable(settled.entry, row.row);
    if (settled.remove) removals.push_back({.row = row.row, .number = settled.entry.number});
  }
  const bool ours = row.free && claimed_.insert(row.row).second;
  if (ours && settled.entry.list_size) transaction.set_list_size(row.row, *settled.entry.list_size);
  // A second copy behind the same unique-id: it gets a row of its own, or it would be compared again in every session.
  if (!ours && !settled.entry.uid.octets.empty()) {
    transaction.insert_known({.account = account_.id,
                              .state = state::RowState::seen,
                              .uid = settled.entry.uid,
                              .list_size = settled.entry.list_size,
                              .reason = "",
                              .tries = 0,
                              .at = clock_.reading()});
  }
}

// Another message stands in its place: it is gone, until a listing shows it again.
void SessionRecords::retire(state::Transaction& transaction, state::RowId row) {
  if (claimed_.contains(row)) return;
  transaction.set_absent(row, clock_.reading(), account_.complete_listings);
  transaction.set_doubt(row, state::Doubt::own);
}

void SessionRecords::warn_of_undeletable(const pop3::ListingEntry& entry, state::RowId row) {
  warn(MessageTrouble::undeletable, entry, row, [](const std::string& name) {
    return "message " + name + " came back each of " + std::to_string(kDeletionsMax) +
           " times it was deleted on the server; it is left there from now on";
  });
}

void SessionRecords::record_confirmed(const std::vector<Confirmed>& confirmed) {
  if (std::ranges::none_of(confirmed, &Confirmed::in_doubt)) return;
  auto transaction = store_.begin();
  for (const Confirmed& each : confirmed) {
    transaction.set_doubt(each.row, state::Doubt::none);
    transaction.set_absent(each.row, std::nullopt, 0);
    if (each.gave_up) warn_of_undeletable({.number = {}, .uid = each.uid, .list_size = {}}, each.row);
  }
  transaction.commit();
  tell_warnings();
}

void SessionRecords::record_doubt(const std::vector<state::RowId>& rows, state::Doubt doubt) {
  auto transaction = store_.begin();
  for (const state::RowId row : rows) transaction.set_doubt(row, doubt);
  transaction.commit();
}

void SessionRecords::record_top_broke(state::RowId row) {
  auto transaction = store_.begin();
  transaction.mark_top_broke(row);
  transaction.commit();
}

void SessionRecords::record_try(state::Transaction& transaction, const Fetch& fetch, const std::string& reason) {
  const std::uint32_t tries = fetch.tries + 1;
  state::RowId row = fetch.tried_row;
  if (row != 0) {
    transaction.set_tries(row, reason, tries);
    if (fetch.entry.uid.octets.empty()) transaction.date_try(row, clock_.reading());
  } else if (!fetch.entry.uid.octets.empty() || fetch.entry.list_size) {
    // Without unique-id and size no later session could tell it from another message, and each would add a row.
    row = transaction.insert_known({.account = account_.id,
                                    .state = state::RowState::held,
                                    .uid = fetch.entry.uid,
                                    .list_size = fetch.entry.list_size,
                                    .reason = reason,
                                    .tries = tries,
                                    .at = clock_.reading()});
  }
  const std::string rarely = fetch.entry.uid.octets.empty() ? "tried once a day" : "not tried any more";
  warn(MessageTrouble::tried, fetch.entry, row, [account = settings_.name, reason, tries, rarely](const std::string& name) {
    const std::string decide = "decide with `popsync retry " + account + " " + name + "` or `popsync skip " + account + " " + name + "`";
    return "message " + name + ": " + reason + "; " +
           (tries < kTriesMax ? "it is tried again, apart from the others" : "it is held and " + rarely + "; " + decide);
  });
}

void SessionRecords::record_dele_sent(const std::vector<Removal>& removals) {
  auto transaction = store_.begin();
  for (const Removal& removal : removals) transaction.mark_dele_sent(removal.row);
  transaction.commit();
}

void SessionRecords::tell_warnings() {
  for (const Warning& warning : warnings_) {
    const std::size_t occurrence = warning.row == 0 ? 1 : store_.occurrence(warning.row);
    if (occurrence == 0 && !warning.entry.uid.octets.empty()) continue;  // its transaction has failed
    log_warning(settings_.name, warning.text(message_name(warning.entry.uid, warning.entry.list_size, std::max<std::size_t>(occurrence, 1))));
  }
  warnings_.clear();
}

void SessionRecords::tell_the_rest() {
  tell_warnings();
  bounded_.tell_rest();
}

void SessionRecords::record_deleted(const std::vector<Removal>& removals) {
  auto transaction = store_.begin();
  for (const Removal& removal : removals) {
    transaction.count_deletion(removal.row);
    transaction.set_absent(removal.row, clock_.reading(), account_.complete_listings);
  }
  transaction.commit();
}

}  // namespace popsync::sync
