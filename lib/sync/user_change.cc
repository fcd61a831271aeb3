// SPDX-License-Identifier: MIT
#include "sync/user_change.h"

#include "base/error.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/account_identity.h"
#include "sync/lost_state.h"
#include "sync/mailstore_opening.h"
#include "sync/plan_policy.h"

namespace popsync::sync {

std::optional<state::AccountRow> account_of_other_user(state::StateStore& store, const AccountSettings& settings,
                                                       std::span<const std::string> configured) {
  AccountDecision decision = decide_account(configured_mailstore(settings).account, configured, store);
  if (decision.match != AccountMatch::conflict) return std::nullopt;
  return std::move(decision.row);
}

void take_user(const SyncServices& services, const AccountSettings& settings, state::AccountRow account) {
  account.user = settings.login.user;
  account.host = settings.endpoint.host;
  account.port = settings.endpoint.port;
  account.secret_worked = true;
  account.refusals = 0;
  auto transaction = services.store.begin();
  transaction.update_account(account);
  transaction.remember_server(account.id, {});
  if (!hides_messages(settings)) transaction.doubt_all(account.id);
  transaction.commit();
  if (settings.mailstore.kind != state::MailstoreKind::maildir) return;
  try {
    name_owner(services.store, services.fs, account, settings.mailstore.path);
  } catch (const Error& error) {
    log_debug(account.name, std::string("the id file follows at the next sync: ") + error.what());
  }
}

}  // namespace popsync::sync
