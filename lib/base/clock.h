// SPDX-License-Identifier: MIT
// The seam to time. Product code asks a Clock; tests drive a ManualClock. Wall time is for what is stored and shown,
// steady time for waiting: a step of the wall clock must neither stall nor hurry a deadline.
#pragma once

#include <chrono>
#include <mutex>

namespace popsync {

using WallTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
  // False in the first hour of uptime unless the kernel calls the clock synchronised: a machine without a battery clock
  // must not delete by age before it knows the date.
  [[nodiscard]] virtual bool trusted() const = 0;
};

// Whether the machine knows the date. `adjtimex` gives the state of the kernel's clock, TIME_ERROR if it is unsynchronised,
// -1 where it may not be asked: the sandbox of a system service forbids it. Asked in the first hour only.
bool date_is_known(std::chrono::seconds uptime, int (*adjtimex)());

// The machine's clocks. Safe to use from any thread.
const Clock& system_clock();

// A clock that moves only when told to. Thread-safe.
class ManualClock : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000))) : wall_(start) {}
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] SteadyTime steady() const override;
  [[nodiscard]] bool trusted() const override;
  void advance(std::chrono::nanoseconds by);
  void set_trusted(bool trusted);

 private:
  mutable std::mutex mutex_;  // guards all below
  WallTime wall_;
  SteadyTime steady_{};
  bool trusted_ = true;
};

// Whole seconds since 1970, as stored in the database.
std::int64_t to_unix_seconds(WallTime time);
WallTime from_unix_seconds(std::int64_t seconds);

}  // namespace popsync
