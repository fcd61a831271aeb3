// SPDX-License-Identifier: MIT
#include "unique_id_arguments.h"

#include "base/error.h"
#include "base/escape.h"

namespace popsync {

pop3::UniqueIdText parse_uid_argument(const std::string& text) {
  auto parsed = pop3::parse_unique_id_text(text);
  if (!parsed) {
    throw Error(ErrorCode::unknown_uid, "\"" + escaped(text) + "\" is no unique-id",
                "write it as `popsync list ACCOUNT` prints it: octets outside !..~, % and # as %XX");
  }
  return std::move(*parsed);
}

void refuse_unknown_uid(const std::string& text, const std::string& account) {
  throw Error(ErrorCode::unknown_uid, "account " + account + " has no message \"" + escaped(text) + "\"",
              "`popsync list " + account + "` prints the unique-ids");
}

std::vector<state::MessageRow> rows_named(state::StateStore& store, const state::AccountRow& account, const std::vector<std::string>& texts) {
  const auto rows = store.messages(account.id);
  std::vector<state::MessageRow> out;
  for (const std::string& text : texts) {
    const pop3::UniqueIdText wanted = parse_uid_argument(text);
    std::size_t occurrence = 0;
    const std::size_t before = out.size();
    for (const state::MessageRow& row : rows) {
      if (row.state != state::RowState::staged && row.uid == wanted.uid && ++occurrence == wanted.occurrence) out.push_back(row);
    }
    if (out.size() == before) refuse_unknown_uid(text, account.name);
  }
  return out;
}

}  // namespace popsync
