// SPDX-License-Identifier: MIT
// What one thread sleeps on: until a delay is over or another thread wakes it. The delay counts the time the machine is suspended (CLOCK_BOOTTIME),
// so a laptop that wakes in the morning looks at its mail then, not when the rest of yesterday evening's five minutes is over. A condition variable
// cannot do that.
#pragma once

#include <chrono>
#include <optional>

#include "base/unique_fd.h"

namespace popsync::schedule {

class Alarm {
 public:
  // Throws Error io_error when the kernel has no descriptors left.
  Alarm();

  // Returns after `delay` (empty: never by itself), or at once if wake() was called since the last wait(). One thread only.
  void wait(std::optional<std::chrono::nanoseconds> delay);
  // From any thread, also from a stop callback.
  void wake();

 private:
  UniqueFd timer_;
  UniqueFd event_;
};

}  // namespace popsync::schedule
