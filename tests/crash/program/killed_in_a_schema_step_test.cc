// SPDX-License-Identifier: MIT
// The program, killed at every call on the database while it changes the tables of an older popsync: they are changed, or as they were, and the next
// start goes on.
#include <gtest/gtest.h>

#include "support/left_state.h"
#include "support/skip.h"
#include "sweep.h"
#include "traced_run.h"

namespace popsync::test {
namespace {

bool touches_the_database(const FileCall& call) { return call.path.find("/state.db") != std::string::npos || call.path.ends_with("/in-use"); }

TEST(KilledInASchemaStep, HasTheOldTablesOrTheNewOnesAndEveryRow) {
  POPSYNC_REQUIRE(tracing_is_allowed(), "ptrace(2) is forbidden here");
  const Sweep sweep(11);
  bool changed = false;
  bool unchanged = false;
  for (std::size_t nth = sweep.first;; nth += sweep.step) {
    LeftState left(POPSYNC_STATES_DIR "/0.1.0.tar.gz");
    left.take_back_a_step();
    const int version = left.schema_version();
    const auto rows = left.rows();
    const TracedResult killed =
        run_and_strike({.nth = nth, .counts = touches_the_database}, left.home().call({"verify", "published"}), {left.home().state_dir()});
    SCOPED_TRACE(killed.where);
    (left.schema_version() == version ? unchanged : changed) = true;
    EXPECT_EQ(left.rows(), rows);
    const ProgramResult next = left.home().run({"verify", "published"});
    EXPECT_EQ(next.status, 0) << next.err;
    EXPECT_GT(left.schema_version(), version);
    EXPECT_EQ(left.rows(), rows);
    if (!killed.struck) break;
  }
  EXPECT_TRUE(changed && unchanged) << "the sweep missed the step";
}

}  // namespace
}  // namespace popsync::test
