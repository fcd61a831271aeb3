// SPDX-License-Identifier: MIT
// Runs the program that prints a secret: no shell, its own process group, stdin from /dev/null, no descriptor of ours beyond the three. Blocks until
// the program ends; never leaves a zombie, and nothing of its group after a stop or a time-out. Safe in a program with threads (posix_spawn).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/stop_signal.h"
#include "secrets/locked_memory.h"

namespace popsync::secrets {

struct CommandRun {
  int status = 0;           // as waitpid() tells it
  std::string stderr_text;  // its beginning, foreign
};

// The program inherits the environment less `hidden_variables` and what the service manager tells popsync alone.
//
// Puts the first line of what `argv` prints, its line end included, into `output`. `limit` is none where a person may be asked; `terminal` is -1 or
// the terminal that the program's group gets as its foreground. Throws Error secret_unavailable if the program cannot be started, takes too long or
// prints more than `output` can hold, interrupted when `stop` fires.
CommandRun run_password_command(const std::vector<std::string>& argv, const std::vector<std::string>& hidden_variables,
                                std::optional<std::chrono::milliseconds> limit, int terminal, const StopSignal& stop, SecretBuffer& output);

}  // namespace popsync::secrets
