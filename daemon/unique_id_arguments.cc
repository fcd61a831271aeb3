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

sync::MessageName parse_name_argument(const std::string& text, const std::string& account) {
  auto parsed = sync::parse_message_name(text);
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
    const sync::MessageName wanted = parse_name_argument(text, account.name);
    const auto row =
        std::ranges::find_if(rows, [&](const state::MessageRow& each) { return names.means(wanted, each) && each.state != state::RowState::staged; });
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
  const bool unique_ids = std::ranges::none_of(entries, [](const pop3::ListingEntry& entry) { return entry.uid.octets.empty(); });
  return sync::name_entries(entries, rows_, sync::policy_for(sync_settings(account_), stored_, unique_ids, {}));
}

std::vector<std::string> KnownMessages::texts_of(const std::vector<pop3::ListingEntry>& entries, const std::vector<sync::EntryName>& names) const {
  const sync::RowNames of_rows(rows_);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const state::MessageRow* row = names[i].row;
    const bool set_aside = row != nullptr && (row->state == state::RowState::held || row->state == state::RowState::skipped);
    if (!entries[i].uid.octets.empty()) {
      texts.push_back(pop3::to_text(entries[i].uid, names[i].occurrence));
    } else {
      texts.push_back(set_aside ? of_rows.of(row->id, row->uid, row->list_size) : "");
    }
  }
  return texts;
}

}  // namespace popsync
