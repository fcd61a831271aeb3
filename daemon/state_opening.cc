// SPDX-License-Identifier: MIT
#include "state_opening.h"

#include <vector>

#include "account_wiring.h"
#include "lost_state_look.h"
#include "state/install.h"
#include "sync/lost_state.h"

namespace popsync {
namespace {

std::chrono::milliseconds patience_of(const Program& program) { return program.options.wait.value_or(state::kShortLockWait); }

}  // namespace

std::string lost_install_key(const Program& program) {
  std::vector<sync::ConfiguredMailstore> mailstores;
  for (const config::Account& account : program.config.accounts) mailstores.push_back(sync::configured_mailstore(sync_settings(account)));
  return look_for_lost_state(program.paths.state_dir, std::move(mailstores));
}

std::unique_ptr<state::StateStore> open_state(const Program& program) {
  state::refuse_unusable(program.paths.state_dir);  // before the state is said to be lost
  return state::StateStore::open(program.paths.state_dir, {.lost_key = lost_install_key(program), .patience = patience_of(program)});
}

std::unique_ptr<state::StateStore> open_existing_state(const Program& program) {
  return state::StateStore::open_existing(program.paths.state_dir, {.patience = patience_of(program)});
}

state::AccountRow resolve_account(const Program& program, state::StateStore& store, const config::Account& account) {
  return sync::resolve_remembered(store, real_fs(), sync::configured_mailstore(sync_settings(account)), program.account_names());
}

}  // namespace popsync
