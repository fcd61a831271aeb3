// SPDX-License-Identifier: MIT
// What the commands rebuild and adopt, which hold a session of one account and write its rows, are given.
#pragma once

#include <memory>

#include "delivery/sync_pool.h"
#include "look.h"
#include "program.h"
#include "secrets/secret_source.h"
#include "state/state_store.h"
#include "sync/account_sync.h"

namespace popsync {

class SessionCommand {
 public:
  // Of the account named; makes the state if it is new. `program` must outlive it.
  explicit SessionCommand(const Program& program);

  [[nodiscard]] const config::Account& account() const { return account_; }
  [[nodiscard]] const sync::SyncServices& services() const { return services_; }
  [[nodiscard]] const sync::SyncRequest& request() const { return request_; }

 private:
  const config::Account& account_;
  StopOnSignal stop_;  // before any thread
  std::unique_ptr<state::StateStore> store_;
  delivery::SyncPools pools_;
  sync::AccountSettings settings_;
  std::unique_ptr<secrets::SecretKeeper> keeper_;
  sync::SyncServices services_;
  sync::SyncRequest request_;
};

}  // namespace popsync
