// SPDX-License-Identifier: MIT
// popsync rename OLD NEW: the state of OLD goes on under NEW. The configuration is the user's to change.
#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/escape.h"
#include "commands.h"
#include "config/config_sections.h"
#include "look.h"
#include "state/transaction.h"
#include "state_opening.h"

namespace popsync {

int cmd_rename(Program& program) {
  const std::string& old_name = program.options.old_name;
  const std::string& new_name = program.options.new_name;
  if (!config::is_account_name(new_name))
    throw Error(ErrorCode::usage, "\"" + escaped(new_name) + "\" is no account name", "letters, digits and . _ @ + -, at most 64");
  if (old_name == new_name) throw Error(ErrorCode::usage, "the old and the new name are the same: " + new_name);
  const auto store = open_existing_state(program);
  const auto rows = store ? store->accounts() : std::vector<state::AccountRow>{};
  const auto old_row = std::ranges::find(rows, old_name, &state::AccountRow::name);
  if (old_row == rows.end()) refuse_unknown_to_state(program, store.get(), old_name, "rename");
  if (std::ranges::count(rows, new_name, &state::AccountRow::name) > 0) {
    throw Error(ErrorCode::usage, "the state has an account " + new_name + " already", "`popsync forget " + new_name + "` drops it");
  }
  const StopOnSignal stop;
  const state::FileLock lock = state::lock_account(store->directory(), old_row->id, program.lock_name(),
                                                   program.options.wait.value_or(state::kLockWaitDefault), stop.signal());
  auto current = store->account(old_row->id);
  if (!current) throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
  state::AccountRow renamed = *current;
  renamed.name = new_name;
  auto transaction = store->begin();
  transaction.update_account(renamed);
  transaction.commit();
  std::cout << old_name << " is now " << new_name << "; call it so in the configuration too\n";
  return 0;
}

}  // namespace popsync
