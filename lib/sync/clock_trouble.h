// SPDX-License-Identifier: MIT
// What is done and told where the clock is not right, or was not.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "state/state_store.h"
#include "sync/account_settings.h"

namespace popsync::sync {

// Rows that lie ahead of a right clock were taken by a wrong one that passed for right: those of that clock count from now on. One warning.
void restart_clocks_ahead(state::StateStore& store, const Clock& clock, std::span<const state::MessageRow> rows);

// Since when deletion by age waits, if it does: the clock is not synchronised, and messages that the machine stored before its last start may be old
// enough by the date. Empty for an account that deletes nothing by age.
std::optional<WallTime> deletion_waits_since(state::StateStore& store, const Clock& clock, const std::string& account_id,
                                             const AccountSettings& settings);
// One sentence of it, and what ends it.
std::string deletion_waits_text(WallTime since);
std::string deletion_waits_hint();

}  // namespace popsync::sync
