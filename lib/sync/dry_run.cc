// SPDX-License-Identifier: MIT
#include "sync/dry_run.h"

#include <optional>

#include "state/account_lock.h"
#include "sync/account_identity.h"
#include "sync/plan_policy.h"
#include "sync/rekeying_session.h"
#include "sync/session_opening.h"

namespace popsync::sync {

DryRun plan_account(state::StateStore* store, const Clock& clock, const SyncRequest& request, const std::vector<std::string>& configured_names,
                    const std::string& command) {
  const AccountSettings& settings = request.settings;
  state::AccountRow account;
  std::optional<state::FileLock> lock;
  std::vector<state::MessageRow> rows;
  if (store != nullptr) {
    const auto stored = store->accounts();
    const AccountDecision decision = decide_account({settings.name, settings.endpoint.host, settings.login.user}, configured_names, stored);
    if (decision.match == AccountMatch::conflict) refuse_conflict(settings.name, settings.login.user, decision.row);
    account = decision.row;
    if (!account.id.empty()) {
      lock = state::lock_account(store->directory(), account.id, command, request.lock_wait, request.stop);
      rows = store->messages(account.id);
    }
  }
  OpenSession session = open_session(settings, request.secret, clock, request.stop, request.trace);
  const net::MaildropListing listing = list_maildrop(*session.client, settings);
  need_unique_ids(listing, settings);
  const PlanPolicy policy = policy_for(settings, account, rows, listing.unique_ids, clock);
  if (store != nullptr) {
    const auto learn = [&](const pop3::ListingEntry& entry) { return net::learn_marker(session.client->connection(), entry); };
    apply_rekeyings(find_rekeyings({.client = *session.client, .learn_marker = learn, .store = *store, .account = account, .policy = policy},
                                   listing.entries, rows),
                    rows);
  }
  DryRun out{.plan = plan_fetch(listing.entries, rows, policy), .old_deletions = 0};
  out.old_deletions = out.plan.remove.size();
  session.client->quit(false);
  return out;
}

}  // namespace popsync::sync
