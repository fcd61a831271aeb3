// SPDX-License-Identifier: MIT
// Every call on the disk and on the database, interrupted. A sweep strikes call 1, 2, 3 ... of a run and ends when a run is over before it is struck,
// so it covers every call there is.
#include <gtest/gtest.h>

#include <iostream>

#include "support/crash_world.h"

namespace popsync::test {
namespace {

// Stops at the first life that went wrong: the next ones would say the same.
void sweep(const Story& story, Blow blow) {
  CrashWorld world(story);
  for (blow.step = 1; world.live_through(blow) && !testing::Test::HasFailure(); ++blow.step) ASSERT_LT(blow.step, 100'000U) << "the run never ends";
  std::cout << "[ sweep    ] " << story.name << ": " << blow.step - 1 << " calls struck; not reached: " << description(blow) << '\n';
  EXPECT_GT(blow.step, 20U) << "hardly any call was counted";
}

const Story kFetchAndDelete{.name = "fetch and delete", .leave = Leave::remove};

TEST(Sweep, KilledAtEveryCall) { sweep(kFetchAndDelete, {.fault = FaultKind::kill}); }

TEST(Sweep, KilledAtEveryCallOfAFirstSync) { sweep({.name = "first sync", .leave = Leave::remove, .old_messages = 0}, {.fault = FaultKind::kill}); }

TEST(Sweep, PowerCutAtEveryCall) { sweep(kFetchAndDelete, {.fault = FaultKind::power_cut}); }

TEST(Sweep, PowerCutAtEveryCallOfAFirstSync) {
  sweep({.name = "first sync", .leave = Leave::remove, .old_messages = 0}, {.fault = FaultKind::power_cut});
}

TEST(Sweep, PowerCutThatLeavesAPartAtEveryCall) { sweep(kFetchAndDelete, {.fault = FaultKind::power_cut, .seed = 1}); }

// What was fetched under the lost database stays on the server and comes no second time.
const Story kLostDatabase{.name = "lost database", .old_messages = 3, .new_messages = 4, .database_lost = true};

TEST(Sweep, KilledAtEveryCallWhileALostStateIsLearnt) { sweep(kLostDatabase, {.fault = FaultKind::kill}); }

TEST(Sweep, PowerCutAtEveryCallWhileALostStateIsLearnt) { sweep(kLostDatabase, {.fault = FaultKind::power_cut}); }

TEST(Sweep, ErrorAtEveryCallThenPowerCut) { sweep(kFetchAndDelete, {.fault = FaultKind::io_error, .power_cut_at_end = true}); }

TEST(Sweep, ErrorAtEveryCallThatLosesWhatWasNotSynced) {
  sweep(kFetchAndDelete, {.fault = FaultKind::io_error, .failed_sync_loses = true, .rounds = 2});
}

TEST(Sweep, DiskThatFailsFromEveryCallOn) { sweep(kFetchAndDelete, {.fault = FaultKind::dead_disk, .power_cut_at_end = true, .rounds = 2}); }

TEST(Sweep, DiskThatIsFullFromEveryCallOn) { sweep(kFetchAndDelete, {.fault = FaultKind::disk_full, .rounds = 2}); }

TEST(Sweep, ShortWriteAtEveryCall) { sweep(kFetchAndDelete, {.fault = FaultKind::short_write, .rounds = 2}); }

}  // namespace
}  // namespace popsync::test
