// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

namespace popsync {
namespace {

// What adjtimex(2) fills in, with a part of it that somebody looks at. The kernel's own layout: glibc's may have wider numbers.
struct KernelTime {
  unsigned int modes = 0;  // none: only asked, which needs no privilege
  long offset = 0;
  long frequency = 0;
  long error_max = 0;
  long error_estimated = 0;
  int status = 0;
  std::array<char, 512> others{};
};

// glibc's adjtimex() calls clock_adjtime(2), which the service's sandbox refuses: that one can also set clocks behind a file descriptor.
bool kernel_synchronised() {
  KernelTime told;
  const long state = ::syscall(SYS_adjtimex, &told);
  return is_synchronised(static_cast<int>(state), told.status);
}

// In the service's sandbox /proc shows nothing but processes, and systemd tells the boot in the environment.
std::string boot_id_of_machine() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  if (const char* told = std::getenv(kBootIdVariable); id.empty() && told != nullptr) id = told;
  std::erase(id, '-');
  return id;
}

std::chrono::nanoseconds since_boot() {
  timespec time{};  // zero if it cannot be had
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class SystemClock : public Clock {
 public:
  explicit SystemClock(bool trusted) : trusted_(trusted) {}
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] ClockReading reading() const override {
    return {.wall = wall(), .boot_id = boot_id_, .since_boot = since_boot(), .synchronised = trusted_ || kernel_synchronised()};
  }

 private:
  bool trusted_;
  std::string boot_id_ = boot_id_of_machine();
};

}  // namespace

bool is_synchronised(int state, int status) { return state >= 0 && state != TIME_ERROR && (status & STA_UNSYNC) == 0; }

const Clock& system_clock() {
  static const SystemClock clock(false);
  return clock;
}

const Clock& trusted_system_clock() {
  static const SystemClock clock(true);
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

ClockReading ManualClock::reading() const {
  const std::lock_guard lock(mutex_);
  return {.wall = wall_, .boot_id = "boot-" + std::to_string(boots_), .since_boot = since_boot_, .synchronised = synchronised_};
}

void ManualClock::advance(std::chrono::nanoseconds by) {
  const std::lock_guard lock(mutex_);
  wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  steady_ += std::chrono::duration_cast<SteadyTime::duration>(by);
  since_boot_ += by;
}

void ManualClock::set_wall(WallTime wall) {
  const std::lock_guard lock(mutex_);
  wall_ = wall;
}

void ManualClock::set_synchronised(bool synchronised) {
  const std::lock_guard lock(mutex_);
  synchronised_ = synchronised;
}

void ManualClock::restart_machine() {
  const std::lock_guard lock(mutex_);
  ++boots_;
  since_boot_ = {};
}

std::int64_t to_unix_seconds(WallTime time) { return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(); }

WallTime from_unix_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

}  // namespace popsync
