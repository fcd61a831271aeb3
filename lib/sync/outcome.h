// SPDX-License-Identifier: MIT
// What is remembered of a session beside its messages: last attempt, last success, failures in a row, the last error. Losing it does no harm, so a
// healthy account with nothing new writes it at most once a minute.
#pragma once

#include "base/clock.h"
#include "state/state_store.h"
#include "sync/sync_report.h"

namespace popsync::sync {

constexpr std::chrono::seconds kBookkeepingEvery{60};

// `before` is the row as stored, `after` the row with what the session learnt (marker, counts, policy).
void record_outcome(state::StateStore& store, const Clock& clock, const state::AccountRow& before, state::AccountRow after, const SyncReport& report);

}  // namespace popsync::sync
