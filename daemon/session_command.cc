// SPDX-License-Identifier: MIT
#include "session_command.h"

#include "account_wiring.h"
#include "state_opening.h"

namespace popsync {

SessionCommand::SessionCommand(const Program& program)
    : account_(*program.chosen_accounts().front()),
      store_(open_state(program)),
      settings_(sync_settings(account_)),
      keeper_(secret_keeper(account_, program.config)),
      services_{.store = *store_,
                .fs = real_fs(),
                .clock = clock_of(program.config.daemon),
                .pools = pools_,
                .configured_names = program.account_names(),
                .command = program.lock_name()},
      request_{.settings = settings_,
               .secret = provide_from(*keeper_, stop_.signal()),
               .stop = stop_.signal(),
               .lock_wait = program.options.wait.value_or(state::kLockWaitDefault),
               .trace = trace_for(program, account_.name),
               .progress = {}} {}

}  // namespace popsync
