// SPDX-License-Identifier: MIT
// Questions at a terminal, for commands that change what cannot be had back.
#pragma once

#include <string>

namespace popsync {

// Standard input is a terminal.
bool may_ask();

// The question goes to standard error. Anything but a yes is a no.
bool agrees(const std::string& question);

}  // namespace popsync
