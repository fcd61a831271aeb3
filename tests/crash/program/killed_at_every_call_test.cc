// SPDX-License-Identifier: MIT
// The real program, killed before and after every system call by which it touches state or mail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "killed_sync.h"
#include "support/skip.h"
#include "traced_run.h"

namespace popsync::test {
namespace {

constexpr std::size_t kThinnedToEvery = 29;

struct KilledAtEveryCall : testing::TestWithParam<Setting> {};

TEST_P(KilledAtEveryCall, HasEveryMessageOnceAfterTheNextSync) {
  POPSYNC_REQUIRE(tracing_is_allowed(), "ptrace(2) is forbidden here");
  const Sweep sweep(kThinnedToEvery);
  std::size_t kills = 0;
  TracedResult traced{.killed = true};
  // It ends with a run that was not killed: there is no call behind the last kill.
  for (std::size_t nth = sweep.first; traced.killed && !HasFailure(); nth += sweep.step) {
    KilledSync killed(GetParam());
    traced = run_and_kill_at(nth, killed.sync(), killed.folders());
    SCOPED_TRACE("stop " + std::to_string(nth) + ": " + traced.where);
    EXPECT_EQ(traced.result.status, traced.killed ? 128 + SIGKILL : 0) << traced.result.err;
    kills += traced.killed ? 1 : 0;
    killed.expect_nothing_lost();
    killed.expect_recovery();
  }
  std::cout << kills << " kills\n";
  for (const char* call : {"openat", "write", "pwrite64", "fdatasync", "fsync", "fcntl", "close"}) {
    EXPECT_THAT(traced.calls, testing::Contains(testing::Key(call))) << "the sweep does not see it";
  }
  EXPECT_THAT(traced.calls, testing::Contains(testing::Key(testing::StartsWith(GetParam().target.publishing_call))));
}

INSTANTIATE_TEST_SUITE_P(Settings, KilledAtEveryCall, testing::ValuesIn(settings()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
