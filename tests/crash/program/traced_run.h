// SPDX-License-Identifier: MIT
// Runs the program under ptrace(2) and strikes it at one of the system calls by which it touches files below some folders. Every thread of it is
// traced. A stop is the entry of such a call (it will not happen) or its end (it has happened, the program does not know yet); two for each call, in
// the order in which the threads make them, so the n-th stop of two runs may differ a little. Real crashes have no other shapes: what the program
// does between two such calls leaves nothing behind.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "file_call.h"
#include "support/program_run.h"

namespace popsync::test {

struct Strike {
  std::size_t nth = 1;                                // stop; 1 is the first
  std::function<bool(const FileCall&)> counts = {};   // only the stops at these calls; default: at all
  int error = 0;                                      // 0: killed there. Else only ends count, and the program is told this errno there
  std::function<void(pid_t)> started = [](pid_t) {};  // called with the program's number before its first stop
};

struct TracedResult {
  bool struck = false;                    // false: it had fewer stops, and ended by itself
  std::string where = {};                 // "before renameat2 /tmp/.../new/X"
  std::vector<FileCall> calls = {};       // all that were begun, in order
  std::vector<FileCall> afterwards = {};  // those begun after the strike
  ProgramResult result = {};
};

// False where the kernel or a container forbids it: the test skips.
bool tracing_is_allowed();

// `folders` are absolute and canonical. One thread. Throws std::runtime_error if the program cannot be traced.
TracedResult run_and_strike(const Strike& strike, ProgramCall call, const std::vector<std::string>& folders);

}  // namespace popsync::test
