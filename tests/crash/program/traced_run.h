// SPDX-License-Identifier: MIT
// Runs the program under ptrace(2) and kills it at one of the system calls by which it touches files below some folders. Every thread of it is
// traced. A stop is the entry of such a call (it will not happen) or its end (it has happened, the program does not know yet); two for each call, in
// the order in which the threads make them, so the n-th stop of two runs may differ a little. Real crashes have no other shapes: what the program
// does between two such calls leaves nothing behind.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "support/program_run.h"

namespace popsync::test {

struct TracedResult {
  bool killed = false;                            // false: it had fewer stops, and ended by itself
  std::string where = {};                         // "before renameat2 /tmp/.../new/X"
  std::map<std::string, std::size_t> calls = {};  // name -> how often it was met
  ProgramResult result = {};
};

// False where the kernel or a container forbids it: the test skips.
bool tracing_is_allowed();

// Kills at the n-th stop; 1 is the first. `folders` are absolute and canonical. One thread. Throws std::runtime_error if the program cannot be
// traced.
TracedResult run_and_kill_at(std::size_t nth, ProgramCall call, const std::vector<std::string>& folders);

}  // namespace popsync::test
