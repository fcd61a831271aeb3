// SPDX-License-Identifier: MIT
// popsync refetch: forgets rows, so that the next sync fetches those messages again if the server still has them.
#include <iostream>

#include "account_wiring.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "commands.h"
#include "look.h"
#include "operator_answer.h"
#include "state/transaction.h"
#include "state_opening.h"
#include "sync/mailstore_opening.h"
#include "sync/moved_mailstore.h"
#include "sync/relearning_session.h"
#include "sync/verification.h"
#include "unique_id_arguments.h"

namespace popsync {
namespace {

std::vector<state::RowId> named_rows(state::StateStore& store, const state::AccountRow& account, const std::vector<std::string>& uids) {
  std::vector<state::RowId> out;
  for (const state::MessageRow& row : rows_named(store, account, uids)) out.push_back(row.id);
  return out;
}

std::vector<state::RowId> all_rows(state::StateStore& store, const state::AccountRow& account) {
  std::vector<state::RowId> out;
  for (const state::MessageRow& row : store.messages(account.id)) {
    if (row.state != state::RowState::staged) out.push_back(row.id);  // a staged one is recovery's: its file may be published already
  }
  return out;
}

std::vector<state::RowId> missing_rows(state::StateStore& store, const state::AccountRow& account, const sync::MailstoreTarget& target) {
  std::vector<state::RowId> out;
  for (const state::PublishedRow& row : sync::verify_account(store, real_fs(), account, target).missing) out.push_back(row.id);
  return out;
}

// What is here already will be here twice. Empty: nothing is.
std::string warning_of_doubles(state::StateStore& store, const state::AccountRow& account, const sync::MailstoreTarget& target) {
  try {
    const sync::Verification found = sync::verify_account(store, real_fs(), account, target);
    const std::uint64_t here = found.published - found.missing.size();
    if (here == 0) return "";
    return std::to_string(here) + " of them " + (here == 1 ? "is" : "are") + " here and will be here twice; --missing fetches those that are not";
  } catch (const Error&) {
    return "those in the mailstore, which cannot be opened now, will be there twice";
  }
}

bool all_meant(state::StateStore& store, const state::AccountRow& account, const sync::MailstoreTarget& target) {
  const std::string doubles = warning_of_doubles(store, account, target);
  const std::string messages = counted(all_rows(store, account).size(), "message");
  if (doubles.empty()) return true;
  if (!may_ask()) throw Error(ErrorCode::usage, "refetch --all asks on a terminal; there is none", doubles + "; say --yes if it is meant");
  return agrees("Fetch all " + messages + " of " + account.name + " again? " + doubles + ".");
}

// What was just promised comes only when this is settled.
void warn_if_stopped(state::StateStore& store, const state::AccountRow& account, const sync::MailstoreTarget& target) {
  try {
    (void)sync::find_mailstore(store, real_fs(), account, target);
  } catch (const Error& error) {
    log_warning(account.name, std::string("the next sync stops: ") + error.what());
  }
}

}  // namespace

int cmd_refetch(Program& program) {
  const Options& options = program.options;
  const int ways = (options.uids.empty() ? 0 : 1) + (options.all ? 1 : 0) + (options.missing ? 1 : 0);
  if (ways != 1) throw Error(ErrorCode::usage, "refetch takes unique-ids, or --all, or --missing");
  const config::Account& account = *program.chosen_accounts().front();
  const auto store = open_existing_state(program);
  const auto stored = stored_account(store.get(), program, account);
  if (!stored) throw Error(ErrorCode::unknown_account, "account " + account.name + " has fetched nothing yet", "popsync sync " + account.name);
  const sync::MailstoreTarget target = mailstore_target(account);
  if (options.all && !options.yes && !all_meant(*store, *stored, target)) return 0;
  const StopOnSignal stop;
  const state::FileLock lock =
      state::lock_account(store->directory(), stored->id, program.lock_name(), options.wait.value_or(state::kLockWaitDefault), stop.signal());
  sync::follow_moved_mailstore(*store, real_fs(), *stored, target);
  const auto rows = options.all       ? all_rows(*store, *stored)
                    : options.missing ? missing_rows(*store, *stored, target)
                                      : named_rows(*store, *stored, options.uids);
  sync::forget_marks(*store, real_fs(), *stored);
  auto transaction = store->begin();
  for (const state::RowId row : rows) transaction.erase_message(row);
  transaction.commit();
  std::cout << account.name << ": " << counted(rows.size(), "message") << " will be fetched again at the next sync, if the server still has them\n";
  warn_if_stopped(*store, *stored, target);
  return 0;
}

}  // namespace popsync
