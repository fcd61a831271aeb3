// SPDX-License-Identifier: MIT
// Recovery of one mbox: what recovery.h promises, under the locks of the file. Entries that are whole in it are recorded, the others are appended
// from staging without being fetched again (delivery/mbox_settling.h finds out which).
#pragma once

#include <vector>

#include "sync/recovery.h"

namespace popsync::sync {

// `rows` are those staged for this mbox. Throws lock_held, or interrupted on `stop`, while another program keeps it locked.
Recovered recover_mbox(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore,
                       std::vector<state::StagedRow> rows, const StopSignal& stop);

// Before anything is appended to an mbox that several accounts share: cuts off what one of the others, killed while it wrote, has left torn at the
// end. Its rows are its own to settle. Throws io_error if that cannot be synced, and as recover_mbox() while the mbox is locked.
void cut_torn_ends_of_others(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const StopSignal& stop);

}  // namespace popsync::sync
