// SPDX-License-Identifier: MIT
// The real program is told that a sync of the database's log failed, each of them in turn: nobody knows whether that COMMIT counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <iostream>
#include <string>

#include "registers.h"
#include "support/skip.h"
#include "sweep.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct FailedCommit : testing::TestWithParam<Setting> {};

bool syncs_the_log(const FileCall& call) { return call.name == "fdatasync" && call.path.ends_with("/state.db-wal"); }

// What recovery decides from: mail, and messages in staging.
bool is_mail(const std::string& path, const KilledSync& world) { return is_message_file(path) || path.starts_with(world.folders().back() + "/"); }

TEST_P(FailedCommit, EndsTheProgramAtOnceAndTheNextStartRecovers) {
  POPSYNC_REQUIRE(tracing_is_allowed() && registers_can_be_changed(), "ptrace(2) is forbidden here, or does not know this processor");
  std::size_t failures = 0;
  TracedResult traced{.struck = true};
  for (std::size_t nth = 1; traced.struck && !HasFailure(); ++nth) {
    KilledSync world(GetParam());
    traced = run_and_strike({.nth = nth, .counts = syncs_the_log, .error = EIO}, world.sync(), world.folders());
    SCOPED_TRACE("sync of the log " + std::to_string(nth) + ": " + traced.result.err);
    if (traced.struck) {
      ++failures;
      EXPECT_EQ(traced.result.status, 74);
      EXPECT_THAT(traced.result.err, AllOf(HasSubstr("outcome is unknown"), HasSubstr("start popsync again")));
      for (const FileCall& call : traced.afterwards) EXPECT_FALSE(is_mail(call.path, world)) << call.name << " " << call.path;
    }
    world.expect_nothing_lost();
    world.expect_recovery();
  }
  std::cout << failures << " syncs failed\n";
  EXPECT_GE(failures, 4U) << "the account, the intent, the publication, the deletion";
}

INSTANTIATE_TEST_SUITE_P(Settings, FailedCommit, testing::ValuesIn(removing()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
