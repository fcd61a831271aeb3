// SPDX-License-Identifier: MIT
// How the last sync of an account ended, from the state to the schedule and back, so that one-pass syncs and the daemon judge an account alike.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "schedule/account_plan.h"
#include "state/state_store.h"
#include "sync/sync_report.h"

namespace popsync {

// Stands for the configuration of an account and the files its secret comes from, by their modification: differs when an operator has changed one.
// What a command or the environment says is not looked at. Holds no secret, nor anything made from one.
std::string tried_with(const config::Account& account, const config::Config& config);

// Empty if the account was tried with something else than what it is tried with now.
schedule::Standing standing_of(const state::AccountRow& row, const std::string& tried_with);

// What is told of an account that is left to its operator: the code of its last error, and what tries it again.
Error left_out(const state::AccountRow& row);

// A one-pass sync of the account has ended: if it needs an operator, or did, or its login was refused, the state tells when it is to be tried again,
// as the daemon's plans do. `before`: as it stood; empty if the sync named it, which is an operator's word. Trouble with the state is logged.
void record_plan(state::StateStore& store, const config::Account& account, const schedule::Standing& before, const sync::SyncReport& report);

// The session of an account did not begin or did not end, because its file system does not answer: recorded in its place, for `status`. Touches no
// mailstore. Trouble with the state is logged.
void record_unanswered(state::StateStore& store, const config::Account& account, const std::vector<std::string>& configured_names,
                       const Error& error);

// An operator's command has set things right for the account: the next sync is not kept from it.
void forgive(state::StateStore& store, const std::string& account_name);

}  // namespace popsync
