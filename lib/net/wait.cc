// SPDX-License-Identifier: MIT
#include "net/wait.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/error.h"

namespace popsync::net {
namespace {

constexpr std::chrono::hours kPollMax{1};  // poll(2) counts milliseconds in an int

int poll_timeout_ms(SteadyTime deadline) {
  const auto now = std::chrono::steady_clock::now();
  if (deadline <= now) return 0;
  if (deadline - now > kPollMax) return static_cast<int>(std::chrono::milliseconds(kPollMax).count());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count());
}

}  // namespace

bool wait_ready(int fd, short events, const StopSignal& stop, SteadyTime deadline) {
  while (true) {
    std::array<pollfd, 2> watched = {{{fd, events, 0}, {stop.fd(), POLLIN, 0}}};
    const int timeout_ms = poll_timeout_ms(deadline);
    const int ready = ::poll(watched.data(), watched.size(), timeout_ms);
    if (ready < 0 && errno != EINTR) throw Error(ErrorCode::network, "cannot wait for the network: " + errno_text(errno));
    throw_if_stopped(stop);
    if (ready > 0 && watched[0].revents != 0) return true;
    if (ready == 0 && timeout_ms == 0) return false;
  }
}

void throw_if_stopped(const StopSignal& stop) {
  if (stop.stopped()) throw Error(ErrorCode::interrupted, "interrupted");
}

}  // namespace popsync::net
