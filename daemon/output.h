// SPDX-License-Identifier: MIT
// The last words of a command.
#pragma once

#include "base/error.h"

namespace popsync {

// Message and hint on standard error.
void print_error(const Error& error);
// What was printed must have arrived, or a script takes half a list for the whole. A reader that has read enough (`| head`) is told nothing. Returns
// the exit status, `status` at best.
int flush_output(int status);
// Ends the process at once, with what was printed, and without the threads that cannot end.
[[noreturn]] void leave_process(int status);

}  // namespace popsync
