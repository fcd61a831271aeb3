// SPDX-License-Identifier: MIT
// popsync verify: every published row against the mailstore; report only.
#include <iostream>

#include "account_wiring.h"
#include "base/format.h"
#include "commands.h"
#include "json_text.h"
#include "look.h"
#include "state_opening.h"
#include "sync/row_names.h"
#include "sync/verification.h"

namespace popsync {
namespace {

void print_text(const config::Account& account, const sync::Verification& found, const sync::RowNames& names) {
  std::cout << account.name << ": " << counted(found.published, "message") << " published, " << found.missing.size() << " not in the "
            << (account.mbox.empty() ? "Maildir" : "mbox") << " any more\n";
  for (const state::PublishedRow& row : found.missing) {
    std::cout << "  " << names.of(row.id, row.uid, {}) << "  " << row.name
              << (row.unverified ? "  (moved or deleted before a crash was recovered)" : "") << '\n';
  }
}

Poco::JSON::Object::Ptr as_json(const std::string& name, const sync::Verification& found, const sync::RowNames& names) {
  auto account = json_object();
  account->set("name", name);
  account->set("published", found.published);
  auto missing = json_array();
  for (const state::PublishedRow& row : found.missing) {
    auto message = json_object();
    message->set("uid", names.of(row.id, row.uid, {}));
    message->set("file", row.name);
    missing->add(message);
  }
  account->set("missing", missing);
  account->set("error", Poco::Dynamic::Var());
  return account;
}

Poco::JSON::Object::Ptr failure_as_json(const std::string& name, const Error& error) {
  auto account = json_object();
  account->set("name", name);
  account->set("error", json_error(error));
  return account;
}

}  // namespace

int cmd_verify(Program& program) {
  const auto store = open_existing_state(program);
  auto accounts = json_array();
  int status = 0;
  for (const config::Account* account : program.chosen_accounts()) {
    try {
      const auto stored = stored_account(store.get(), program, *account);
      const sync::Verification found = stored ? sync::verify_account(*store, real_fs(), *stored, mailstore_target(*account)) : sync::Verification{};
      const sync::RowNames names(found.missing.empty() ? std::vector<state::MessageRow>{} : store->messages(stored->id));
      if (!found.missing.empty()) status = worse_exit_status(status, exit_status(ErrorCode::differences));
      accounts->add(as_json(account->name, found, names));
      if (!program.options.json) print_text(*account, found, names);
    } catch (const Error& error) {
      status = worse_exit_status(status, exit_status(error.code()));
      accounts->add(failure_as_json(account->name, error));
      if (!program.options.json) std::cerr << "error: " << account->name << ": " << error.what() << '\n';
    }
  }
  if (program.options.json) {
    auto answer = json_answer();
    answer->set("accounts", accounts);
    print_json(answer);
  }
  return status;
}

}  // namespace popsync
