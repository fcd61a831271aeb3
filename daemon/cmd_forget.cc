// SPDX-License-Identifier: MIT
// popsync forget: drops the rows of an account. Its mail stays here and on the server; a later sync would fetch everything on the server again.
#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/format.h"
#include "base/fs.h"
#include "commands.h"
#include "delivery/maildir.h"
#include "look.h"
#include "operator_answer.h"
#include "state/transaction.h"
#include "state_opening.h"
#include "sync/id_file_lock.h"

namespace popsync {

int cmd_forget(Program& program) {
  const std::string& name = program.options.accounts.front();
  const auto store = open_existing_state(program);
  const auto rows = store ? store->accounts() : std::vector<state::AccountRow>{};
  const auto row = std::ranges::find(rows, name, &state::AccountRow::name);
  if (row == rows.end()) refuse_unknown_to_state(program, store.get(), name, "forget");
  const std::uint64_t messages = store->seen_count(row->id);
  const std::string again =
      "all mail of " + name + " that is still on the server comes again, unless `popsync adopt " + name + "` first finds what is in the Maildir";
  if (!program.options.yes) {
    if (!may_ask()) throw Error(ErrorCode::usage, "forget asks on a terminal; there is none", "say --yes if it is meant");
    if (!agrees("Forget " + counted(messages, "message") + " of " + name + "? Its mail stays, and " + again + ".")) return 0;
  }
  const StopOnSignal stop;
  const state::FileLock lock =
      state::lock_account(store->directory(), row->id, program.lock_name(), program.options.wait.value_or(state::kLockWaitDefault), stop.signal());
  const auto mailstores = store->mailstores(row->id);
  for (const state::MailstoreRow& mailstore : mailstores) {
    if (mailstore.kind != state::MailstoreKind::maildir) continue;
    const auto id_file = sync::lock_id_file(*store, real_fs(), mailstore.path);
    delivery::forget_owner(real_fs(), mailstore.path, store->install_key(), row->id);
  }
  auto transaction = store->begin();
  transaction.forget_account(row->id);
  transaction.commit();
  std::cout << name << ": " << counted(messages, "message") << " forgotten; " << again << '\n';
  return 0;
}

}  // namespace popsync
