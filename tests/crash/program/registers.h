// SPDX-License-Identifier: MIT
// What a system call is given, changed in a thread that is stopped by ptrace(2) at its entry. Written for
// x86-64 and 64-bit ARM; elsewhere nothing is changed.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace popsync::test {

// At its entry.
void set_second_argument(pid_t thread, std::uint64_t value);
}  // namespace popsync::test
