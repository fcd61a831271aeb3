// SPDX-License-Identifier: MIT
#include "sync/verification.h"

#include <map>
#include <string>

#include "delivery/maildir.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

Verification verify_account(state::StateStore& store, Fs& fs, const state::AccountRow& account) {
  std::map<state::RowId, std::vector<state::PublishedRow>> by_mailstore;
  for (state::PublishedRow& row : store.published(account.id)) by_mailstore[row.mailstore].push_back(std::move(row));
  Verification result;
  for (const state::MailstoreRow& mailstore : store.mailstores(account.id)) {
    auto& rows = by_mailstore[mailstore.id];
    if (rows.empty()) continue;
    delivery::Maildir maildir = delivery::Maildir::open(fs, mailstore.path, owner_of(store, account), mailstore.store_id);
    std::vector<std::string> wanted;
    for (const state::PublishedRow& row : rows) wanted.push_back(row.name);
    const auto names = maildir.published_names(wanted);
    result.published += rows.size();
    for (state::PublishedRow& row : rows) {
      if (!names.contains(row.name)) result.missing.push_back(std::move(row));
    }
  }
  return result;
}

}  // namespace popsync::sync
