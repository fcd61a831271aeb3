// SPDX-License-Identifier: MIT
#include "sync/account_recovery.h"

#include <optional>

#include "state/account_lock.h"
#include "sync/account_identity.h"
#include "sync/lost_state.h"
#include "sync/mailstore_opening.h"
#include "sync/moved_mailstore.h"
#include "sync/recovery.h"

namespace popsync::sync {

std::uint64_t recover_account(const SyncServices& services, const AccountSettings& settings, const StopSignal& stop) {
  const AccountDecision decision = decide_account(configured_mailstore(settings).account, services.configured_names, services.store);
  if (decision.match == AccountMatch::fresh || decision.match == AccountMatch::conflict) return 0;
  if (has_done_nothing(services.store, decision.row.id)) return 0;  // its first session may give it another id (lost_state.h)
  const state::FileLock lock = state::lock_account(services.store.directory(), decision.row.id, services.command, std::chrono::milliseconds(0), stop);
  follow_moved_mailstore(services.store, services.fs, decision.row, settings.mailstore);
  std::optional<OpenMailstore> mailstore = find_mailstore(services.store, services.fs, decision.row, settings.mailstore);
  if (mailstore) take_into_use(services.store, services.fs, decision.row, *mailstore);
  const Recovered recovered = recover(services.store, services.fs, services.clock, decision.row, mailstore ? &*mailstore : nullptr, stop);
  return recovered.published + recovered.unverified;
}

}  // namespace popsync::sync
