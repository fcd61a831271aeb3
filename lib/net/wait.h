// SPDX-License-Identifier: MIT
// The one place where the network is waited for: a descriptor, the stop and a deadline in one poll(2). A timer thread that shuts sockets
// down was turned down: it needs a lock around every socket's life, and a late shutdown could hit the next owner of a descriptor.
#pragma once

#include "base/clock.h"
#include "base/stop_signal.h"

namespace popsync::net {

// Waits until `fd` is ready for `events` (POLLIN, POLLOUT), broken or closed: true. False when the deadline passed first.
// Throws Error interrupted as soon as the stop fires. Any thread.
[[nodiscard]] bool wait_ready(int fd, short events, const StopSignal& stop, SteadyTime deadline);

// Throws Error interrupted if the stop has fired.
void throw_if_stopped(const StopSignal& stop);

}  // namespace popsync::net
