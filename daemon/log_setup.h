// SPDX-License-Identifier: MIT
// The daemon's log as its configuration wants it, at the start and at each reload.
#pragma once

#include "config/config.h"

namespace popsync {

// `verbosity` (-v, -q) goes before log_level.
void set_up_log(const config::Daemon& daemon, int verbosity);

}  // namespace popsync
