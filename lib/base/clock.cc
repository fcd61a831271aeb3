// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <sys/timex.h>
#include <time.h>

namespace popsync {
namespace {

constexpr std::chrono::hours kBootGrace{1};

class SystemClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] bool trusted() const override {
    timespec uptime{};  // zero if it cannot be had
    ::clock_gettime(CLOCK_BOOTTIME, &uptime);
    return date_is_known(std::chrono::seconds(uptime.tv_sec), [] {
      timex state{};
      return ::adjtimex(&state);
    });
  }
};

}  // namespace

bool date_is_known(std::chrono::seconds uptime, int (*adjtimex)()) {
  if (uptime >= kBootGrace) return true;
  const int state = adjtimex();
  return state >= 0 && state != TIME_ERROR;
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

WallTime ManualClock::wall() const {
  const std::lock_guard lock(mutex_);
  return wall_;
}

SteadyTime ManualClock::steady() const {
  const std::lock_guard lock(mutex_);
  return steady_;
}

bool ManualClock::trusted() const {
  const std::lock_guard lock(mutex_);
  return trusted_;
}

void ManualClock::advance(std::chrono::nanoseconds by) {
  const std::lock_guard lock(mutex_);
  wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  steady_ += std::chrono::duration_cast<SteadyTime::duration>(by);
}

void ManualClock::set_trusted(bool trusted) {
  const std::lock_guard lock(mutex_);
  trusted_ = trusted;
}

std::int64_t to_unix_seconds(WallTime time) { return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(); }

WallTime from_unix_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

}  // namespace popsync
