// SPDX-License-Identifier: MIT
// One sync of one account, from recovery to QUIT: the story of the program.
//
// On any failure the socket is closed without QUIT, so the server keeps everything, what was committed stays committed, and what was proven is still
// published. Killed anywhere, the next sync's recovery settles what is between staging and new/; every message ends up in the Maildir once
// (docs/durability.md).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/stop_signal.h"
#include "delivery/sync_pool.h"
#include "net/pop3_client.h"
#include "net/tls_memory.h"
#include "state/state_store.h"
#include "sync/account_settings.h"
#include "sync/confirming.h"
#include "sync/fetch_plan.h"
#include "sync/message_intake.h"
#include "sync/outcome.h"
#include "sync/sync_report.h"

namespace popsync::sync {

// What all accounts of a process share. Everything referred to outlives the syncs.
struct SyncServices {
  state::StateStore& store;
  Fs& fs;
  const Clock& clock;
  delivery::SyncPools& pools;
  std::vector<std::string> configured_names;
  std::string command;  // who holds the locks: "popsync run"
  BatchLimits batch = {};
  ConfirmLimits confirm = {};
  PublishOn publish_on = PublishOn::own_thread;
  std::chrono::seconds bookkeeping_every = kBookkeepingEvery;
};

struct SyncRequest {
  const AccountSettings& settings;
  net::SecretProvider secret;
  const StopSignal& stop;
  std::chrono::milliseconds lock_wait{};
  net::Trace trace;
  ProgressFunction progress;
  net::TlsMemory* tls = nullptr;  // kept by the caller from one sync of this account to the next; null: for this sync alone
  std::string tried_with = {};    // stands for configuration and secret: refusals are counted for as long as it is the same
};

// Never throws an Error: it is in the report, and in the state for `status`.
SyncReport sync_account(const SyncServices& services, const SyncRequest& request);

}  // namespace popsync::sync
