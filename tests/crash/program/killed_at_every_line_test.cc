// SPDX-License-Identifier: MIT
// The real program, killed by the server at every line of the dialogue: when the n-th command has come, and when it has been answered.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <iostream>

#include "shot.h"
#include "support/thoroughness.h"
#include "sweep.h"

namespace popsync::test {
namespace {

constexpr std::size_t kThinnedToEvery = 5;

struct KilledAtEveryLine : testing::TestWithParam<Setting> {};

// Step 2n - 1 is the n-th command's arrival, step 2n its answer.
TEST_P(KilledAtEveryLine, HasEveryMessageOnceAfterTheNextSync) {
  const Sweep sweep(kThinnedToEvery);
  std::size_t kills = 0;
  bool reached = true;
  for (std::size_t step = sweep.first; reached && !HasFailure(); step += sweep.step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Shot shot(SIGKILL);
    std::atomic<bool> seen{false};
    KilledSync killed(GetParam());
    const auto kill = [&, command = (step + 1) / 2](std::size_t commands) {
      if (commands != command || seen.exchange(true)) return;
      shot.fire();
    };
    killed.server().change([&](MaildropKnobs& knobs) { (step % 2 == 1 ? knobs.before_command : knobs.after_command) = kill; });
    ProgramRun run(killed.sync());
    shot.aim(run.pid());
    const int status = run.wait().status;
    EXPECT_TRUE(status == 0 || (shot.fired() && status == 128 + SIGKILL)) << run.err();
    killed.expect_nothing_lost();
    reached = seen;
    kills += reached ? 1 : 0;
    killed.server().set_knobs({});
    killed.expect_recovery();
  }
  std::cout << kills << " kills\n";
  EXPECT_GE(kills * kFewerOfFew, 2U);
}

INSTANTIATE_TEST_SUITE_P(Settings, KilledAtEveryLine, testing::ValuesIn(settings()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
