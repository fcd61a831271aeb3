// SPDX-License-Identifier: MIT
// What a system call is given and what it gives back, changed in a thread that is stopped by ptrace(2) at the entry or the end of one. Written for
// x86-64 and 64-bit ARM; elsewhere nothing is changed.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace popsync::test {

bool registers_can_be_changed();

// At its entry.
void set_second_argument(pid_t thread, std::uint64_t value);
// At its end; a failure is -errno.
void set_result(pid_t thread, std::int64_t value);

}  // namespace popsync::test
