// SPDX-License-Identifier: MIT
// Settles what a crash or a failed session left between staging and the mailstore (docs/durability.md, Recovery). Runs before connecting, under the
// account's lock, after the account's publisher has ended. May itself be interrupted at any point and run again.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/stop_signal.h"
#include "state/state_store.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

struct Recovered {
  std::uint64_t published = 0;   // finished from staging, without being fetched again
  std::uint64_t unverified = 0;  // published, then moved or deleted before we looked
  std::uint64_t dropped = 0;     // damaged or without a row: removed, fetched again if still on the server
};

// `current` is the mailstore the account delivers to now, null if it is not made yet; rows staged for another one are finished there. Those for an
// mbox that is gone are finished in the mbox of today, once it is made. An mbox that another program keeps locked is waited for, until `stop` at
// most.
Recovered recover(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore* current,
                  const StopSignal& stop);

}  // namespace popsync::sync
