// SPDX-License-Identifier: MIT
#include "sync/dry_run.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/fs.h"
#include "delivery/maildir_reader.h"
#include "state/account_lock.h"
#include "sync/account_identity.h"
#include "sync/login_delay.h"
#include "sync/lost_state.h"
#include "sync/mailstore_opening.h"
#include "sync/new_mailstore.h"
#include "sync/plan_policy.h"
#include "sync/rekeying_session.h"
#include "sync/relearning.h"
#include "sync/row_names.h"
#include "sync/session_opening.h"

namespace popsync::sync {
namespace {

// Whose tokens the next sync would look for in the Maildir: of a lost state, or of one that is older than it; empty mostly.
std::optional<TokenOwner> owner_to_relearn(state::StateStore* store, const AccountSettings& settings, const state::AccountRow& account) {
  if (settings.mailstore.kind != state::MailstoreKind::maildir) return std::nullopt;
  if (store != nullptr && !account.id.empty()) {
    if (auto mailstore = find_mailstore(*store, real_fs(), account, settings.mailstore)) {
      const bool marked = mailstore->ahead || mailstore->staging().unlearned_since();
      return marked ? std::optional(TokenOwner{.install_key = store->install_key(), .account_id = account.id}) : std::nullopt;
    }
  }
  const delivery::Inspection found = delivery::inspect(real_fs(), settings.mailstore.path, store == nullptr ? "" : store->install_key());
  if (store != nullptr && found.condition != delivery::MailstoreCondition::ours) return std::nullopt;
  const ConfiguredAccount configured = configured_mailstore(settings).account;
  for (const delivery::MailstoreId::Account& each : found.accounts) {
    if (account.id.empty() ? is_remembered_as(each, found.accounts, configured) : each.id == account.id) {
      return TokenOwner{.install_key = found.install_key, .account_id = each.id};
    }
  }
  return std::nullopt;
}

// What would end the next sync before it connects.
void refuse_stopped(state::StateStore* store, const AccountSettings& settings, const state::AccountRow& account) {
  if (store != nullptr && !account.id.empty()) {
    (void)find_mailstore(*store, real_fs(), account, settings.mailstore);
  } else {
    refuse_foreign_mail(store, real_fs(), account, settings.mailstore);
  }
}

// As the next sync would, but in memory.
void relearn_rows(state::StateStore* store, const AccountSettings& settings, const state::AccountRow& account, const net::MaildropListing& listing,
                  std::vector<state::MessageRow>& rows) {
  const auto owner = listing.unique_ids ? owner_to_relearn(store, settings, account) : std::nullopt;
  const auto reader = owner ? delivery::MaildirReader::open(real_fs(), settings.mailstore.path) : std::nullopt;
  if (!reader) return;
  std::unordered_set<std::string> claimed;
  if (store != nullptr) {
    for (state::FileRow& row : store->files_at(settings.mailstore.path)) claimed.insert(std::move(row.name));
  }
  std::vector<FileOfMailstore> files;
  for (std::string& name : reader->names()) {
    if (!claimed.contains(name)) files.push_back({.mailstore = 0, .name = std::move(name)});
  }
  for (const Recognised& each : relearn_from_names(listing.entries, rows, files, *owner).here) {
    std::erase_if(rows, [&](const state::MessageRow& row) { return std::ranges::count(each.replaces, row.id) > 0; });
    state::MessageRow row;
    row.state = state::RowState::seen;
    row.uid = each.entry.uid;
    row.list_size = each.entry.list_size;
    rows.push_back(std::move(row));
  }
}

std::vector<std::string> names_of(const std::vector<Removal>& removals, const std::vector<pop3::ListingEntry>& listing,
                                  const std::vector<state::MessageRow>& rows) {
  std::vector<std::string> out;
  if (removals.empty()) return out;
  const RowNames names(rows);
  std::unordered_map<std::uint32_t, const pop3::UniqueId*> listed;
  for (const pop3::ListingEntry& entry : listing) listed.emplace(entry.number.value, &entry.uid);
  for (const Removal& removal : removals) out.push_back(names.of(removal.row, *listed.at(removal.number.value), {}));
  return out;
}

}  // namespace

DryRun plan_account(state::StateStore* store, const Clock& clock, const SyncRequest& request, const std::vector<std::string>& configured_names,
                    const std::string& command) {
  const AccountSettings& settings = request.settings;
  state::AccountRow account;
  account.name = settings.name;
  std::optional<state::FileLock> lock;
  std::vector<state::MessageRow> rows;
  if (store != nullptr) {
    const AccountDecision decision = decide_account(configured_mailstore(settings).account, configured_names, *store);
    if (decision.match == AccountMatch::conflict) refuse_conflict(settings.name, settings.login.user, decision.row);
    account = decision.row;
    if (!account.id.empty()) {
      lock = state::lock_account(store->directory(), account.id, command, request.lock_wait, request.stop);
      rows = store->messages(account.id);
      if (!id_to_take(*store, real_fs(), configured_mailstore(settings), account).empty()) account.id.clear();  // as if it had no row yet
    }
  }
  refuse_stopped(store, settings, account);
  if (const auto not_before = login_not_before(account, clock.wall())) throw too_early(account, *not_before);
  OpenSession session = open_session(settings, request.secret, clock, request.stop, request.trace);
  const net::MaildropListing listing = list_maildrop(*session.client, settings);
  need_unique_ids(listing, settings);
  relearn_rows(store, settings, account, listing, rows);
  const PlanPolicy policy = policy_for(settings, account, listing.unique_ids, row_ages(store, clock));
  if (store != nullptr) {
    const auto learn = [&](const pop3::ListingEntry& entry) { return net::learn_marker(session.client->connection(), entry); };
    apply_rekeyings(find_rekeyings({.client = *session.client, .learn_marker = learn, .store = *store, .account = account, .policy = policy},
                                   listing.entries, rows),
                    rows);
  }
  DryRun out{.plan = plan_fetch(listing.entries, rows, policy), .old_deletions = 0, .deletions = {}};
  const std::vector<Removal> due = out.plan.due();
  out.old_deletions = due.size();
  out.deletions = names_of(due, listing.entries, rows);
  close_session(*session.client, settings);
  return out;
}

}  // namespace popsync::sync
