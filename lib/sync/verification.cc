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
    OpenMailstore open = open_as_it_is(store, fs, account, mailstore);
    std::vector<std::string> wanted;
    for (const state::PublishedRow& row : rows) wanted.push_back(row.name);
    const auto present = present_in(open, wanted);
    result.published += rows.size();
    for (state::PublishedRow& row : rows) {
      if (!present.contains(row.name)) result.missing.push_back(std::move(row));
    }
  }
  return result;
}

}  // namespace popsync::sync
