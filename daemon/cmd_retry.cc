// SPDX-License-Identifier: MIT
// popsync retry and popsync skip: the operator's word on held messages. The next sync tries them again from the start, or never again.
#include <iostream>

#include "base/format.h"
#include "commands.h"
#include "look.h"
#include "state/transaction.h"
#include "state_opening.h"
#include "sync/row_names.h"
#include "unique_id_arguments.h"

namespace popsync {
namespace {

enum class Word { retry, skip };

void refuse_not_held(const state::MessageRow& row, const std::string& name, Word word) {
  if (row.state == state::RowState::held || (word == Word::retry && row.state == state::RowState::skipped)) return;
  const std::string advice =
      word == Word::retry ? "it was fetched or seeded; `popsync refetch` fetches it again" : "`popsync status` lists the held messages";
  throw Error(ErrorCode::unknown_uid, "message " + name + " is not held", advice);
}

int decide(Program& program, Word word) {
  const Options& options = program.options;
  const config::Account& account = *program.chosen_accounts().front();
  const auto store = open_existing_state(program);
  const auto stored = stored_account(store.get(), program, account);
  if (!stored) throw Error(ErrorCode::unknown_account, "account " + account.name + " has fetched nothing yet", "popsync sync " + account.name);
  const StopOnSignal stop;
  const state::FileLock lock =
      state::lock_account(store->directory(), stored->id, program.lock_name(), options.wait.value_or(state::kLockWaitDefault), stop.signal());
  const auto rows = rows_named(*store, *stored, options.uids);
  const sync::RowNames names(store->messages(stored->id));
  for (const state::MessageRow& row : rows) refuse_not_held(row, names.of(row.id, row.uid, row.list_size), word);
  auto transaction = store->begin();
  for (const state::MessageRow& row : rows) word == Word::retry ? transaction.retry_held(row.id) : transaction.skip_held(row.id);
  transaction.commit();
  std::cout << account.name << ": " << counted(rows.size(), "message")
            << (word == Word::retry ? " will be tried again at the next sync\n" : " given up; nothing is deleted on the server\n");
  return 0;
}

}  // namespace

int cmd_retry(Program& program) { return decide(program, Word::retry); }

int cmd_skip(Program& program) { return decide(program, Word::skip); }

}  // namespace popsync
