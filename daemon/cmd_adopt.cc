// SPDX-License-Identifier: MIT
// popsync adopt: mail that another program has put into the Maildir counts as fetched. Compares headers; fetches nothing, deletes nothing.
#include <iostream>

#include "base/format.h"
#include "commands.h"
#include "session_command.h"
#include "standing.h"
#include "sync/adoption_session.h"

namespace popsync {

int cmd_adopt(Program& program) {
  SessionCommand command(program);
  const sync::Adoption found = sync::adopt_account(command.services(), command.request());
  forgive(command.services().store, command.account().name);
  std::cout << command.account().name << ": " << counted(found.listed, "message") << " on the server, " << found.adopted
            << " found in the Maildir by header";
  if (found.relearnt > 0) std::cout << ", " << found.relearnt << " by the names of their files";
  if (found.doubtful > 0) std::cout << " (" << found.doubtful << " not beyond doubt, never deleted on the server)";
  std::cout << "; " << found.to_fetch << " will be fetched\n";
  return 0;
}

}  // namespace popsync
