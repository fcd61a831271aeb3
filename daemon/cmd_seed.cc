// SPDX-License-Identifier: MIT
// popsync seed: everything on the server now counts as seen; only what comes later is fetched, also into a mailstore that holds mail. Never deletes:
// seeded rows are not removable.
#include <iostream>

#include "account_wiring.h"
#include "base/format.h"
#include "commands.h"
#include "look.h"
#include "standing.h"
#include "state_opening.h"
#include "sync/acceptance.h"
#include "sync/fetch_plan.h"
#include "sync/free_space.h"
#include "sync/pieces.h"

namespace popsync {

int cmd_seed(Program& program) {
  const config::Account& account = *program.chosen_accounts().front();
  const auto store = open_state(program);
  const StopOnSignal stop;
  const state::AccountRow row = resolve_account(program, *store, account);
  std::size_t seeded = 0;
  with_session(program, account, store.get(), stop.signal(), [&](sync::OpenSession& session) {
    const net::MaildropListing listing = sync::list_maildrop(*session.client, sync_settings(account));
    if (!listing.unique_ids) throw Error(ErrorCode::server_permanent, "the server has no UIDL: there is nothing to remember its messages by");
    const sync::FetchPlan plan = sync::plan_fetch(listing.entries, store->messages(row.id), {.leave = {}, .max_message_size = UINT64_MAX});
    sync::FreeSpace space(real_fs(), store->directory(), account.min_free_space);
    sync::Pieces pieces(*store, [&] { space.need(nullptr, 0); });
    for (const sync::Fetch& fetch : plan.fetch) {
      if (!fetch.candidates.empty()) continue;  // a known message in doubt: the next sync looks at its content
      state::Transaction& transaction = pieces.next();
      for (const state::RowId held : fetch.replaces) transaction.erase_message(held);
      transaction.insert_known({.account = row.id,
                                .state = state::RowState::seen,
                                .uid = fetch.entry.uid,
                                .list_size = fetch.entry.list_size,
                                .reason = "",
                                .tries = 0,
                                .at = clock_of(program.config.daemon).reading()});
      ++seeded;
    }
    pieces.commit();
    sync::answer_foreign_mail(*store, real_fs(), row, mailstore_target(account));
  });
  forgive(*store, account.name);
  std::cout << account.name << ": " << counted(seeded, "message") << " marked as seen\n";
  return 0;
}

}  // namespace popsync
