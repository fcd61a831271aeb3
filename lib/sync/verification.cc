// SPDX-License-Identifier: MIT
#include "sync/verification.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>

#include "delivery/maildir.h"
#include "sync/earlier_mailstores.h"
#include "sync/mailstore_opening.h"
#include "sync/moved_mailstore.h"

namespace popsync::sync {
namespace {

// Where what a mailstore row names is to be looked for, by that row. Entries of an mbox that is gone are known by their markers in the one of today:
// it may have been moved there.
std::map<state::RowId, state::MailstoreRow> places_of(state::StateStore& store, Fs& fs, const state::AccountRow& account,
                                                      const std::optional<KnownMailstore>& current) {
  std::map<state::RowId, state::MailstoreRow> places;
  for (const state::MailstoreRow& row : store.mailstores(account.id)) {
    const bool into_current =
        current && (current->is(row.id) || (row.kind == state::MailstoreKind::mbox && current->row.kind == row.kind && !mbox_is_there(fs, row.path)));
    places.emplace(row.id, into_current ? current->row : row);
  }
  return places;
}

}  // namespace

Verification verify_account(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto current = known_mailstore(store, fs, account, target);
  refuse_unseen_earlier(store, fs, account, current);
  const auto places = places_of(store, fs, account, current);
  std::map<state::RowId, std::vector<state::PublishedRow>> by_place;  // 0: lost
  Verification result;
  for (state::PublishedRow& row : store.published(account.id)) {
    ++result.published;
    const auto place = places.find(row.mailstore);
    by_place[place == places.end() ? 0 : place->second.id].push_back(std::move(row));
  }
  for (const auto& [id, mailstore] : places) {
    if (id != mailstore.id || !by_place.contains(id)) continue;
    auto rows = by_place.extract(id);
    OpenMailstore open = open_as_it_is(store, fs, account, mailstore);
    std::vector<std::string> wanted;
    for (const state::PublishedRow& row : rows.mapped()) wanted.push_back(row.name);
    const auto present = present_in(open, wanted);
    for (state::PublishedRow& row : rows.mapped()) {
      if (!present.contains(row.name)) result.missing.push_back(std::move(row));
    }
  }
  for (auto& [lost, rows] : by_place) std::ranges::move(rows, std::back_inserter(result.missing));
  return result;
}

}  // namespace popsync::sync
