// SPDX-License-Identifier: MIT
// popsync rebuild: learns again, from the names of the files, which messages on the server are here. Fetches nothing, deletes nothing.
#include <iostream>

#include "base/format.h"
#include "commands.h"
#include "session_command.h"
#include "standing.h"
#include "sync/relearning_session.h"

namespace popsync {

int cmd_rebuild(Program& program) {
  SessionCommand command(program);
  const sync::Rebuilt rebuilt = sync::rebuild_account(command.services(), command.request());
  forgive(command.services().store, command.account().name);
  std::cout << command.account().name << ": " << counted(rebuilt.recognised, "message") << " recognised by their files, " << rebuilt.to_fetch
            << (rebuilt.to_fetch == 1 ? " is" : " are") << " not here and will be fetched\n";
  return 0;
}

}  // namespace popsync
