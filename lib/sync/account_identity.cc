// SPDX-License-Identifier: MIT
#include "sync/account_identity.h"

#include <strings.h>

#include <algorithm>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/port.h"
#include "base/random.h"
#include "base/stop_signal.h"
#include "state/account_lock.h"
#include "state/transaction.h"

namespace popsync::sync {
namespace {

bool same_host(const std::string& left, const std::string& right) { return ::strcasecmp(left.c_str(), right.c_str()) == 0; }

bool knows_nothing(state::StateStore& store, const std::string& id) { return store.seen_count(id) == 0 && store.held(id).empty(); }

void record(state::StateStore& store, AccountDecision& decision) {
  if (decision.row.id.empty()) decision.row.id = to_hex(random_octets(8));
  std::optional<state::FileLock> idle;
  if (!decision.replaces.empty()) {
    idle = state::lock_account(store.directory(), decision.replaces, "popsync", std::chrono::milliseconds(0), StopSignal{std::stop_token()});
    if (!knows_nothing(store, decision.replaces))
      throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
  }
  auto transaction = store.begin();
  if (!decision.replaces.empty()) transaction.forget_account(decision.replaces);
  if (decision.match == AccountMatch::fresh) {
    transaction.insert_account(decision.row);
  } else {
    transaction.update_account(decision.row);
  }
  transaction.commit();
}

}  // namespace

std::string other_account_hint(const std::string& name) {
  return "`popsync rename " + name + " NEWNAME` keeps the old account's state under another name, `popsync forget " + name + "` drops it";
}

AccountDecision decide_account(const ConfiguredAccount& account, std::span<const std::string> configured, std::span<const state::AccountRow> stored) {
  AccountDecision decision;
  const auto wanted = [&](state::AccountRow row) {
    const bool same_server = same_host(row.host, account.host) && (row.port == 0 || same_port(row.port, account.port));
    if (!same_server) row.last_login.reset();  // what that server wants between logins is not what this one wants
    row.name = account.name;
    row.host = account.host;
    row.user = account.user;
    row.port = account.port;
    return row;
  };
  const auto named = std::ranges::find(stored, account.name, &state::AccountRow::name);
  if (named != stored.end()) {
    decision.match = named->user == account.user ? AccountMatch::known : AccountMatch::conflict;
    decision.row = decision.match == AccountMatch::known ? wanted(*named) : *named;
    return decision;
  }
  const auto namesake = [&](const state::AccountRow& row) { return same_host(row.host, account.host) && row.user == account.user; };
  const bool port_counts = account.port_counts || std::ranges::count_if(stored, namesake) > 1;
  const auto vanished = std::ranges::find_if(stored, [&](const state::AccountRow& row) {
    return namesake(row) && std::ranges::count(configured, row.name) == 0 && (!port_counts || same_port(row.port, account.port));
  });
  decision.match = vanished == stored.end() ? AccountMatch::fresh : AccountMatch::taken_over;
  if (vanished != stored.end()) decision.old_name = vanished->name;
  decision.row = wanted(vanished == stored.end() ? state::AccountRow{} : *vanished);
  return decision;
}

AccountDecision decide_account(const ConfiguredAccount& account, std::span<const std::string> configured, state::StateStore& store) {
  auto stored = store.accounts_akin(account.name, account.user);
  AccountDecision decision = decide_account(account, configured, stored);
  if (decision.match != AccountMatch::conflict || !knows_nothing(store, decision.row.id)) return decision;
  const std::string mistaken = decision.row.id;
  std::erase_if(stored, [&](const state::AccountRow& row) { return row.id == mistaken; });
  decision = decide_account(account, configured, stored);
  decision.replaces = mistaken;
  return decision;
}

Stopped stopped_by_other_user(const std::string& name, const std::string& user, const state::AccountRow& stored) {
  return {StopReason::other_user,
          {},
          Error(ErrorCode::account_identity,
                "the account " + name + " was " + escaped(stored.user) + " until now and is " + escaped(user) + " in the configuration",
                "if it is the same maildrop under another login name: " + accept_command(name) +
                    " (in a script with --user); if not: " + other_account_hint(name))};
}

void refuse_conflict(const std::string& name, const std::string& user, const state::AccountRow& stored) {
  throw stopped_by_other_user(name, user, stored);
}

state::AccountRow resolve_account(state::StateStore& store, const ConfiguredAccount& account, std::span<const std::string> configured) {
  // The usual case costs one look, however many accounts there are.
  const auto named = store.account_named(account.name);
  if (named && named->user == account.user && named->host == account.host && named->port == account.port) return *named;
  AccountDecision decision = decide_account(account, configured, store);
  if (decision.match == AccountMatch::conflict) refuse_conflict(account.name, account.user, decision.row);
  if (decision.match == AccountMatch::taken_over) {
    log_info(account.name, "continues the state of the account " + decision.old_name + ", which has the same host and user");
  }
  try {
    record(store, decision);
    return decision.row;
  } catch (const Error&) {
    // Another popsync may have made the row since we looked; names are unique.
    AccountDecision again = decide_account(account, configured, store);
    if (decision.match != AccountMatch::fresh || again.match != AccountMatch::known) throw;
    return again.row;
  }
}

bool has_done_nothing(state::StateStore& store, const std::string& id) { return store.mailstores(id).empty() && knows_nothing(store, id); }

bool is_remembered_as(const delivery::MailstoreId::Account& line, std::span<const delivery::MailstoreId::Account> lines,
                      const ConfiguredAccount& account) {
  const auto namesake = [&](const delivery::MailstoreId::Account& each) { return same_host(each.host, account.host) && each.user == account.user; };
  const bool port_counts = account.port_counts || std::ranges::count_if(lines, namesake) > 1;
  return namesake(line) && (!port_counts || same_port(line.port, account.port));
}

}  // namespace popsync::sync
