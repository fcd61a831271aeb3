// SPDX-License-Identifier: MIT
// The daemon, killed before and after every system call by which it touches state or mail, from its start over its first poll to its end.
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <memory>

#include "shot.h"
#include "support/skip.h"
#include "sweep.h"

namespace popsync::test {
namespace {

struct KilledDaemon : testing::TestWithParam<Setting> {};

// It is told to stop when its QUIT has been answered; what it records then is part of the sweep.
TEST_P(KilledDaemon, HasEveryMessageOnceAfterTheNextSync) {
  POPSYNC_REQUIRE(tracing_is_allowed(), "ptrace(2) is forbidden here");
  const auto calls = kill_at_every_call(GetParam(), 61, [](KilledSync& world, std::size_t nth) {
    const auto stop = std::make_shared<Shot>(SIGTERM);  // the server's thread may come later than the kill
    world.server().change([&](MaildropKnobs& knobs) {
      knobs.after_command = [stop, &server = world.server()](std::size_t /*commands*/) {
        if (server.record().count("QUIT") > 0) stop->fire();
      };
    });
    return run_and_strike({.nth = nth, .started = [&](pid_t program) { stop->aim(program); }}, world.daemon(), world.folders());
  });
  EXPECT_TRUE(std::ranges::any_of(calls, GetParam().target.publishes)) << "the sweep does not see it";
}

INSTANTIATE_TEST_SUITE_P(Settings, KilledDaemon, testing::ValuesIn(removing()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
