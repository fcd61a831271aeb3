// SPDX-License-Identifier: MIT
// leave_state FILE.tar.gz: what the built popsync leaves behind, packed for the tests of later versions (docs/testing.md). $POPSYNC_PROGRAM names
// another popsync than the one built with it. Status 77: the kernel or a container forbids what it takes to kill popsync at a chosen moment.
#include <exception>
#include <iostream>

#include "crash/program/traced_run.h"
#include "states/left_world.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "leave_state FILE.tar.gz\n";
    return 64;
  }
  if (!popsync::test::tracing_is_allowed()) {
    std::cerr << "leave_state: ptrace(2) is forbidden here\n";
    return 77;
  }
  try {
    popsync::test::LeftWorld().pack(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "leave_state: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
