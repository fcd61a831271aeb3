// SPDX-License-Identifier: MIT
#include "unique_id_arguments.h"

#include <algorithm>

#include "account_wiring.h"
#include "base/error.h"
#include "base/escape.h"
#include "look.h"
#include "sync/plan_policy.h"
#include "sync/row_names.h"

namespace popsync {

pop3::UniqueIdText parse_uid_argument(const std::string& text, const std::string& account) {
  auto parsed = pop3::parse_unique_id_text(text);
  if (!parsed) {
    throw Error(ErrorCode::unknown_uid, "\"" + escaped(text) + "\" is no unique-id",
                "write it as `popsync list " + account + "` prints it: octets outside !..~, % and # as %XX");
  }
  return std::move(*parsed);
}

void refuse_unknown_uid(const std::string& text, const std::string& account) {
  throw Error(ErrorCode::unknown_uid, "account " + account + " has no message \"" + escaped(text) + "\"",
              "`popsync list " + account + "` prints the unique-ids");
}

std::vector<state::MessageRow> rows_named(state::StateStore& store, const state::AccountRow& account, const std::vector<std::string>& texts) {
  const auto rows = store.messages(account.id);
  const sync::RowNames names(rows);
  std::vector<state::MessageRow> out;
  for (const std::string& text : texts) {
    const pop3::UniqueIdText wanted = parse_uid_argument(text, account.name);
    const auto row = std::ranges::find_if(rows, [&](const state::MessageRow& each) {
      return each.uid == wanted.uid && names.occurrence(each.id) == wanted.occurrence && each.state != state::RowState::staged;
    });
    if (row == rows.end()) refuse_unknown_uid(text, account.name);
    if (std::ranges::count(out, row->id, &state::MessageRow::id) == 0) out.push_back(*row);
  }
  return out;
}

KnownMessages::KnownMessages(const Program& program, const config::Account& account, state::StateStore* store) : account_(account) {
  const auto stored = stored_account(store, program, account);
  if (!stored) return;
  stored_ = *stored;
  rows_ = store->messages(stored->id);
}

std::vector<sync::EntryName> KnownMessages::names_in(const std::vector<pop3::ListingEntry>& entries) const {
  // On a server without UIDL the sizes have to do: content is not looked at here.
  return sync::name_entries(entries, rows_, sync::policy_for(sync_settings(account_), stored_, rows_, true, system_clock()));
}

}  // namespace popsync
