// SPDX-License-Identifier: MIT
// What is remembered of a session beside its messages: last attempt, last success, failures in a row, the last error. Losing it does no harm, so a
// healthy account with nothing new writes it at most once a minute in the daemon (a sync by hand writes it each time); short looks at the maildrop in
// between count as one. The daemon writes the time of its last success with its plans (DaemonApp::flush_plans()), several accounts at once.
#pragma once

#include "base/clock.h"
#include "state/state_store.h"
#include "sync/sync_report.h"

namespace popsync::sync {

constexpr std::chrono::seconds kBookkeepingEvery{60};

// An account as stored, or with what the session learnt: marker, counts, policy, and what it knows of its server.
struct AccountState {
  const state::AccountRow& row;
  const state::ServerMemory& server;
};
void record_outcome(state::StateStore& store, const Clock& clock, const AccountState& before, const AccountState& after, const SyncReport& report,
                    std::chrono::seconds bookkeeping_every = kBookkeepingEvery);

}  // namespace popsync::sync
