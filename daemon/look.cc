// SPDX-License-Identifier: MIT
#include "look.h"

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <mutex>

#include "account_wiring.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/nearest.h"
#include "sync/account_identity.h"
#include "sync/lost_state.h"

namespace popsync {

StopOnSignal::Blocked::Blocked() { observe::SignalThread::block_signals(); }

StopOnSignal::StopOnSignal()
    : signal_(source_.get_token()),
      thread_(
          [this](int signal) {
            if (signal == SIGINT || signal == SIGTERM) source_.request_stop();
          },
          {.patience = kCommandStopPatience, .leave = [] { std::_Exit(exit_status(ErrorCode::interrupted)); }}) {}

StoredAccounts::StoredAccounts(state::StateStore* store, const Program& program) : store_(store), configured_(program.account_names()) {
  if (store != nullptr) rows_ = store->accounts();
}

std::optional<state::AccountRow> StoredAccounts::of(const config::Account& account) const {
  const sync::ConfiguredAccount configured = sync::configured_mailstore(sync_settings(account)).account;
  sync::AccountDecision decision = sync::decide_account(configured, configured_, rows_);
  if (decision.match == sync::AccountMatch::conflict) decision = sync::decide_account(configured, configured_, *store_);
  switch (decision.match) {
    case sync::AccountMatch::fresh: return std::nullopt;
    case sync::AccountMatch::known:
    case sync::AccountMatch::taken_over: return decision.row;
    case sync::AccountMatch::conflict: sync::refuse_conflict(account.name, account.user, decision.row);
  }
  return std::nullopt;
}

std::optional<state::AccountRow> stored_account(state::StateStore* store, const Program& program, const config::Account& account) {
  return StoredAccounts(store, program).of(account);
}

void refuse_unknown_to_state(const Program& program, state::StateStore* store, const std::string& name, const std::string& command) {
  const std::string unknown = "the state knows no account \"" + escaped(name) + "\"";
  const auto rows = store == nullptr ? std::vector<state::AccountRow>{} : store->accounts();
  if (const config::Account* account = program.config.find(name); account != nullptr) {
    const sync::AccountDecision decision =
        sync::decide_account(sync::configured_mailstore(sync_settings(*account)).account, program.account_names(), rows);
    if (decision.match == sync::AccountMatch::taken_over) {
      throw Error(ErrorCode::unknown_account, unknown + ": it keeps that account under the name " + decision.old_name,
                  "say `popsync " + command + " " + decision.old_name + "`, or call it " + decision.old_name + " in the configuration too");
    }
  }
  std::vector<std::string> names;
  for (const state::AccountRow& row : rows) names.push_back(row.name);
  throw Error(ErrorCode::unknown_account, unknown + did_you_mean(name, names));
}

void with_session(const Program& program, const config::Account& account, state::StateStore* store, const StopSignal& stop,
                  const std::function<void(sync::OpenSession&)>& look) {
  const auto stored = stored_account(store, program, account);
  std::optional<state::FileLock> lock;
  if (stored) {
    lock = state::lock_account(store->directory(), stored->id, program.lock_name(), program.options.wait.value_or(state::kLockWaitDefault), stop);
  }
  const auto keeper = secret_keeper(account, program.config);
  sync::OpenSession session =
      sync::open_session(sync_settings(account), provide_from(*keeper, stop), system_clock(), stop, trace_for(program, account.name));
  look(session);
  sync::close_session(*session.client, sync_settings(account));
}

std::string expire_text(std::uint32_t days) {
  if (days == 0) return "the server deletes messages once they are retrieved (EXPIRE 0)";
  return "the server deletes messages after " + counted(days, "day") + " (EXPIRE)";
}

net::Trace trace_for(const Program& program, const std::string& account) {
  if (!program.options.trace) return {};
  return [account](std::string_view line) {
    static std::mutex mutex;  // guards standard error: several accounts may speak at once
    const std::lock_guard lock(mutex);
    std::cerr << account << ": " << line << '\n';
  };
}

}  // namespace popsync
