// SPDX-License-Identifier: MIT
// The real program, killed before and after every system call by which it touches state or mail: in a sync, and in the sync that recovers from a
// kill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "support/skip.h"
#include "sweep.h"

namespace popsync::test {
namespace {

using testing::Contains;
using testing::Field;

struct KilledAtEveryCall : testing::TestWithParam<Setting> {};

TEST_P(KilledAtEveryCall, HasEveryMessageOnceAfterTheNextSync) {
  POPSYNC_REQUIRE(tracing_is_allowed(), "ptrace(2) is forbidden here");
  const auto calls = kill_at_every_call(
      GetParam(), 29, [](KilledSync& world, std::size_t nth) { return run_and_strike({.nth = nth}, world.sync(), world.folders()); });
  for (const char* call : {"openat", "write", "pwrite64", "fdatasync", "fsync", "fcntl", "close"}) {
    EXPECT_THAT(calls, Contains(Field(&FileCall::name, call))) << "the sweep does not see it";
  }
  EXPECT_TRUE(std::ranges::any_of(calls, GetParam().target.publishes)) << "the sweep does not see it";
}

INSTANTIATE_TEST_SUITE_P(Settings, KilledAtEveryCall, testing::ValuesIn(settings()), [](const auto& tested) { return tested.param.name; });

// What the first kill leaves for the recovery.
struct Leftover {
  std::string name;
  Setting setting;
  Strike first;
};
void PrintTo(const Leftover& tested, std::ostream* out) { *out << tested.name; }

bool syncs_a_message(const FileCall& call) { return call.name == "fdatasync" && is_message_file(call.path); }

std::vector<Leftover> leftovers() {
  std::vector<Leftover> all;
  for (const Setting& setting : removing()) {
    all.push_back({setting.target.name + "StagedWithoutRows", setting, {.nth = 2, .counts = syncs_a_message}});
    all.push_back({setting.target.name + "RowsAndNothingPublished", setting, {.counts = setting.target.publishes}});
    // Of a Maildir's four messages one has been renamed, and the mbox was written in one call.
    all.push_back({setting.target.name + "Published", setting, {.nth = 2, .counts = setting.target.publishes}});
  }
  return all;
}

struct KilledAtEveryCallOfTheRecovery : testing::TestWithParam<Leftover> {};

TEST_P(KilledAtEveryCallOfTheRecovery, HasEveryMessageOnceAfterTheNextSync) {
  POPSYNC_REQUIRE(tracing_is_allowed(), "ptrace(2) is forbidden here");
  const auto calls = kill_at_every_call(GetParam().setting, 83, [](KilledSync& world, std::size_t nth) {
    EXPECT_TRUE(run_and_strike(GetParam().first, world.sync(), world.folders()).struck);
    world.expect_nothing_lost();
    return run_and_strike({.nth = nth}, world.sync(), world.folders());
  });
  EXPECT_TRUE(std::ranges::any_of(calls, is_message_file, &FileCall::path)) << "there was nothing to recover";
}

INSTANTIATE_TEST_SUITE_P(Leftovers, KilledAtEveryCallOfTheRecovery, testing::ValuesIn(leftovers()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
