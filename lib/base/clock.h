// SPDX-License-Identifier: MIT
// The seam to time. Product code asks a Clock; tests drive a ManualClock. Wall time is for what is stored and shown,
// steady time for waiting: a step of the wall clock must neither stall nor hurry a deadline.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace popsync {

using WallTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

// All that the machine tells of its clocks at one moment. Ages are reckoned from it: a wall clock may be set, the boot clock goes on evenly.
struct ClockReading {
  WallTime wall{};
  std::string boot_id = {};               // names this start of the machine; empty where the kernel does not tell it
  std::chrono::nanoseconds since_boot{};  // CLOCK_BOOTTIME: since the machine was started, its sleep included
  bool synchronised = false;              // a time service, or the operator, vouches for the wall clock
};

// So far a wall clock is put right without a word. More is a step: what was noted by the clock before it means another time.
constexpr std::chrono::seconds kClockStep{60};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
  [[nodiscard]] virtual ClockReading reading() const = 0;
};

// Does the kernel call its clock synchronised? `state` and `status` are those of adjtimex(2); -1 where it may not be asked. The kernel takes it back
// when somebody sets the clock, and when the time service falls silent.
bool is_synchronised(int state, int status);

// Looked at where /proc does not tell the boot: popsync.service sets it to systemd's %b.
constexpr const char* kBootIdVariable = "POPSYNC_BOOT_ID";

// The machine's clocks. Safe to use from any thread.
const Clock& system_clock();
// The same, synchronised by the operator's word: clock = "trusted".
const Clock& trusted_system_clock();

// A clock that moves only when told to. Thread-safe.
class ManualClock : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000))) : wall_(start) {}
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] SteadyTime steady() const override;
  [[nodiscard]] ClockReading reading() const override;
  void advance(std::chrono::nanoseconds by);
  void set_wall(WallTime wall);  // somebody sets the wall clock; the others do not notice
  void set_synchronised(bool synchronised);
  void restart_machine();  // another boot; the wall clock goes on

 private:
  mutable std::mutex mutex_;  // guards all below
  WallTime wall_;
  SteadyTime steady_{};
  std::chrono::nanoseconds since_boot_{};
  unsigned boots_ = 1;
  bool synchronised_ = true;
};

// Whole seconds since 1970, as stored in the database.
std::int64_t to_unix_seconds(WallTime time);
WallTime from_unix_seconds(std::int64_t seconds);

}  // namespace popsync
