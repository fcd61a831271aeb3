// SPDX-License-Identifier: MIT
#include "sync/account_use.h"

#include "base/error.h"
#include "base/escape.h"
#include "sync/lost_state.h"
#include "sync/moved_mailstore.h"
#include "sync/plan_policy.h"

namespace popsync::sync {
namespace {

[[noreturn]] void refuse_unfilled(const AccountSettings& settings) {
  throw Error(ErrorCode::mailstore_unavailable, "popsync has put no mail into " + escaped(settings.mailstore.path) + " for this account",
              settings.mailstore.kind == state::MailstoreKind::maildir
                  ? "`popsync sync " + settings.name + "` fetches it; for mail that another program fetched: `popsync adopt " + settings.name + "`"
                  : "`popsync sync " + settings.name + "` fetches it; an mbox of a state that was lost cannot be told from that of another program");
}

}  // namespace

AccountUse use_account(const SyncServices& services, const SyncRequest& request) {
  const state::AccountRow resolved =
      resolve_remembered(services.store, services.fs, configured_mailstore(request.settings), services.configured_names);
  state::FileLock lock = state::lock_account(services.store.directory(), resolved.id, services.command, request.lock_wait, request.stop);
  const auto account = services.store.account(resolved.id);
  if (!account || account->user != request.settings.login.user)
    throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
  follow_moved_mailstore(services.store, services.fs, *account, request.settings.mailstore);
  return {.account = *account, .lock = std::move(lock)};
}

OpenMailstore open_filled_mailstore(const SyncServices& services, const AccountSettings& settings, const state::AccountRow& account) {
  auto mailstore = find_mailstore(services.store, services.fs, account, settings.mailstore);
  if (!mailstore) {
    if (!is_remembered(services.store, services.fs, account, settings.mailstore)) refuse_unfilled(settings);
    mailstore.emplace(open_mailstore(services.store, services.fs, account, settings.mailstore));
  }
  take_into_use(services.store, services.fs, account, *mailstore);
  return std::move(*mailstore);
}

void require_unique_ids(const net::MaildropListing& listing, const std::string& account_name) {
  if (listing.unique_ids) return;
  throw Error(ErrorCode::server_permanent, "the server has no UIDL: there is nothing to remember the messages of " + account_name + " by",
              "`leave_on_server = false` is the only way that works there");
}

std::uint64_t count_to_fetch(const SyncServices& services, const AccountSettings& settings, const state::AccountRow& account,
                             const net::MaildropListing& listing) {
  const auto rows = services.store.messages(account.id);
  return plan_fetch(listing.entries, rows, policy_for(settings, account, listing.unique_ids, row_ages(&services.store, services.clock))).fetch.size();
}

}  // namespace popsync::sync
