// SPDX-License-Identifier: MIT
// One function a command. Each returns the exit status; a failure that ends the command is thrown as Error.
#pragma once

#include "program.h"

namespace popsync {

int cmd_run(Program& program);
int cmd_sync(Program& program);
int cmd_check(Program& program);
int cmd_accept(Program& program);
int cmd_list(Program& program);
int cmd_show(Program& program);
int cmd_status(Program& program);
int cmd_verify(Program& program);
int cmd_config(Program& program);
int cmd_seed(Program& program);
int cmd_adopt(Program& program);
int cmd_rebuild(Program& program);
int cmd_retry(Program& program);
int cmd_skip(Program& program);
int cmd_refetch(Program& program);
int cmd_rename(Program& program);
int cmd_forget(Program& program);

}  // namespace popsync
