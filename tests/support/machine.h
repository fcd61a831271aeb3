// SPDX-License-Identifier: MIT
// A computer on which one thing goes wrong at a given call. Numbers the calls that the fault can strike, over files (FaultyFs) and database
// (FaultyDatabase), and is the lock under which each is carried out: after a crash no thread does anything any more.
//
// kill and power_cut end the process (exit status kCrashed), as they would: nothing is unwound. So a test that uses them runs the product in a child
// (CrashRig). The other kinds give an error and can be used in the test's own process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "support/volatile_disk.h"

namespace popsync::test {

enum class FaultKind {
  none,
  kill,         // kill -9: what the kernel was given stays
  power_cut,    // what was not synced is gone (FaultPlan::seed)
  io_error,     // EIO, once
  dead_disk,    // EIO from this call on
  dead_syncs,   // EIO at every sync from this one on; everything else goes well
  disk_full,    // ENOSPC from this call on, where something new is written
  short_write,  // a part of the octets is written, then ENOSPC, once
};

enum class CallKind {
  look,  // open for reading, list, stat, read
  make,  // create, mkdir
  write,
  sync_file,
  sync_directory,  // also the sync of all, where there is no journal
  close,
  move,    // rename
  remove,  // unlink
};

struct FaultPlan {
  FaultKind kind = FaultKind::none;
  std::uint64_t step = 0;                                     // the call that is struck, 1 is the first; 0: none
  std::uint64_t seed = 0;                                     // what a power cut leaves: 0 nothing that was not synced, else a part of it
  bool failed_sync_loses = false;                             // io_error at a file's sync: the octets are gone at once, not only in doubt
  bool without_journal = false;                               // of the disk: see VolatileDisk
  std::function<bool(CallKind, std::string_view)> only = {};  // counts these calls only
};

// May the fault strike a call of this kind?
bool strikes(FaultKind fault, CallKind call);

class Machine {
 public:
  static constexpr int kCrashed = 99;

  // `attic`: see VolatileDisk; empty: no power cuts here. `end` does not return.
  explicit Machine(FaultPlan plan, const std::string& attic = {}, std::function<void()> end = {});

  // Held around each call.
  [[nodiscard]] std::unique_lock<std::recursive_mutex> lock() { return std::unique_lock(mutex_); }

  enum class Outcome {
    normal,
    io_error,
    disk_full,
    short_write,  // write a part, then disk_full
    torn,         // write a part, then crash()
  };
  // Numbers the call and says how it ends. Does not return where the machine crashes. `what` is for people.
  Outcome next(CallKind call, std::string_view what);
  void crash();
  // After the last call: what a power cut would leave now.
  void cut_power();

  [[nodiscard]] VolatileDisk* disk() const { return disk_.get(); }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // The call that was struck, "rename new/..."; empty if the run was over before.
  [[nodiscard]] const std::string& struck() const { return struck_; }
  // Told at the moment it is known, before the process ends.
  void on_strike(std::function<void(std::uint64_t, const std::string&)> tell) { tell_ = std::move(tell); }
  [[nodiscard]] const FaultPlan& plan() const { return plan_; }

 private:
  std::recursive_mutex mutex_;
  const FaultPlan plan_;
  std::unique_ptr<VolatileDisk> disk_;
  std::function<void()> end_;
  std::function<void(std::uint64_t, const std::string&)> tell_;
  std::uint64_t steps_ = 0;
  std::string struck_;
};

}  // namespace popsync::test
