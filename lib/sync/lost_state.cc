// SPDX-License-Identifier: MIT
#include "sync/lost_state.h"

#include <algorithm>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "delivery/maildir.h"
#include "state/account_lock.h"
#include "state/install.h"
#include "state/transaction.h"

namespace popsync::sync {
namespace {

using delivery::MailstoreCondition;
using delivery::MailstoreId;

// What cannot be looked at is the account's own trouble: its session tells it.
delivery::Inspection look(Fs& fs, const std::string& path) {
  if (path.empty()) return {};
  try {
    return delivery::inspect(fs, path, {});
  } catch (const Error& error) {
    log_debug("", std::string("while looking for a lost state: ") + error.what());
    return {};
  }
}

}  // namespace

std::string lost_install_key(Fs& fs, const std::string& state_dir, std::span<const ConfiguredMailstore> mailstores) {
  if (!state::is_unused(state_dir)) return {};
  for (const ConfiguredMailstore& mailstore : mailstores) {
    const delivery::Inspection found = look(fs, mailstore.path);
    if (found.condition != MailstoreCondition::foreign) continue;
    const auto ours = std::ranges::find_if(
        found.accounts, [&](const MailstoreId::Account& each) { return is_remembered_as(each, found.accounts, mailstore.account); });
    if (ours == found.accounts.end()) continue;
    if (delivery::in_use(fs, mailstore.path, found.install_key, ours->id)) {
      throw Error(ErrorCode::mailstore_foreign,
                  "the Maildir " + escaped(mailstore.path) + " is being filled at this moment by a popsync with another state directory",
                  "use that one (--state-dir DIR); nothing was made in " + escaped(state_dir));
    }
    log_info(mailstore.account.name, "the state in " + escaped(state_dir) + " is gone; the Maildir " + escaped(mailstore.path) +
                                         " was filled under it, so what was fetched is learnt from the names of its files");
    return found.install_key;
  }
  return {};
}

std::string remembered_id(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore) {
  if (mailstore.path.empty()) return {};
  const delivery::Inspection found = delivery::inspect(fs, mailstore.path, store.install_key());
  if (found.condition != MailstoreCondition::ours) return {};
  for (const MailstoreId::Account& each : found.accounts) {
    if (is_remembered_as(each, found.accounts, mailstore.account) && !store.account(each.id)) return each.id;
  }
  return {};
}

std::string id_to_take(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore, const state::AccountRow& account) {
  return has_done_nothing(store, account.id) ? remembered_id(store, fs, mailstore) : "";
}

state::AccountRow take_id(state::StateStore& store, const state::AccountRow& account, const std::string& id) {
  state::AccountRow row = account;
  row.id = id;
  auto transaction = store.begin();
  transaction.forget_account(account.id);  // names are unique
  transaction.insert_account(row);
  transaction.update_account(row);
  transaction.set_plan(row.name, row.next_sync, row.next_sync_delay, row.needs_operator);
  transaction.commit();
  return row;
}

state::AccountRow resolve_remembered(state::StateStore& store, Fs& fs, const ConfiguredMailstore& mailstore,
                                     std::span<const std::string> configured) {
  state::AccountRow row = resolve_account(store, mailstore.account, configured);
  const std::string id = id_to_take(store, fs, mailstore, row);
  if (id.empty()) return row;
  const state::FileLock idle = state::lock_account(store.directory(), row.id, "popsync", std::chrono::milliseconds(0), StopSignal{std::stop_token()});
  const auto now = store.account(row.id);
  if (!now || !has_done_nothing(store, row.id))
    throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
  return take_id(store, *now, id);
}

ConfiguredMailstore configured_mailstore(const AccountSettings& settings) {
  return {.account = {.name = settings.name,
                      .host = settings.endpoint.host,
                      .user = settings.login.user,
                      .port = settings.endpoint.port,
                      .port_counts = settings.port_counts},
          .path = settings.mailstore.kind == state::MailstoreKind::maildir ? settings.mailstore.path : ""};
}

}  // namespace popsync::sync
