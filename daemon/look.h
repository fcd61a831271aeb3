// SPDX-License-Identifier: MIT
// A session that only looks, for list, show, seed and check --connect: under the account's lock, without RETR, ended by QUIT.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/stop_signal.h"
#include "observe/signal_thread.h"
#include "program.h"
#include "state/account_lock.h"
#include "sync/session_opening.h"

namespace popsync {

// How long a command may take to end after SIGINT or SIGTERM. Then, or at a second one, the process is left, which is as safe as a kill: a dead disk
// may hold it.
constexpr std::chrono::seconds kCommandStopPatience{30};

// SIGINT and SIGTERM as a stop, for the rest of a command. Made before any thread, which would else be interrupted in its place.
class StopOnSignal {
 public:
  StopOnSignal();
  [[nodiscard]] const StopSignal& signal() const { return signal_; }

 private:
  struct Blocked {
    Blocked();
  };
  Blocked blocked_;  // first: the signal thread must find the signals blocked
  std::stop_source source_;
  StopSignal signal_;
  observe::SignalThread thread_;
};

// The state's rows of accounts, read once: a command that asks for each of thousands must not read all of them each time.
class StoredAccounts {
 public:
  // Without a state there are none.
  StoredAccounts(state::StateStore* store, const Program& program);
  // The account's row, if there is one; what belongs to another user is an Error account_identity.
  [[nodiscard]] std::optional<state::AccountRow> of(const config::Account& account) const;

 private:
  state::StateStore* store_;
  std::vector<state::AccountRow> rows_;
  std::vector<std::string> configured_;
};

// The same for one account.
std::optional<state::AccountRow> stored_account(state::StateStore* store, const Program& program, const config::Account& account);

// The state has no row of this name; if it keeps the account of that name in the configuration under another one, that is the one to give to
// `command`.
[[noreturn]] void refuse_unknown_to_state(const Program& program, state::StateStore* store, const std::string& name, const std::string& command);

// Runs `look` on a session in TRANSACTION state while the account's lock is held (where there is a state to lock), then QUITs.
void with_session(const Program& program, const config::Account& account, state::StateStore* store, const StopSignal& stop,
                  const std::function<void(sync::OpenSession&)>& look);

// What EXPIRE announces, in words.
std::string expire_text(std::uint32_t days);

// "C: ..." and "S: ..." lines on standard error, if --trace was given.
net::Trace trace_for(const Program& program, const std::string& account);

}  // namespace popsync
