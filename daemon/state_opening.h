// SPDX-License-Identifier: MIT
// The state for a command that may make one: a lost state is known again by the Maildirs that were filled under it.
#pragma once

#include <memory>
#include <string>

#include "program.h"
#include "state/state_store.h"

namespace popsync {

// The install key of a lost state, for one that is about to be made; empty mostly.
std::string lost_install_key(const Program& program);

// Makes the state if it is new.
std::unique_ptr<state::StateStore> open_state(const Program& program);

// Null if there is none yet.
std::unique_ptr<state::StateStore> open_existing_state(const Program& program);

// The account's row, made if it is new.
state::AccountRow resolve_account(const Program& program, state::StateStore& store, const config::Account& account);

}  // namespace popsync
