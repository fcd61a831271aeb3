// SPDX-License-Identifier: MIT
#include "sweep.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <iostream>
#include <string>

#include "support/thoroughness.h"

namespace popsync::test {

Sweep::Sweep(std::size_t thinned_to_every) {
  if (thorough()) return;
  step = every_of_few(thinned_to_every);
  first = first_of(step);
  std::cout << "every " << step << "th step from " << first << " on\n";
}

std::vector<FileCall> kill_at_every_call(const Setting& setting, std::size_t thinned_to_every,
                                         const std::function<TracedResult(KilledSync& world, std::size_t nth)>& run) {
  const Sweep sweep(thinned_to_every);
  std::size_t kills = 0;
  TracedResult traced{.struck = true};
  for (std::size_t nth = sweep.first; traced.struck && !testing::Test::HasFailure(); nth += sweep.step) {
    KilledSync world(setting);
    traced = run(world, nth);
    SCOPED_TRACE("stop " + std::to_string(nth) + ": " + traced.where);
    EXPECT_EQ(traced.result.status, traced.struck ? 128 + SIGKILL : 0) << traced.result.err;
    kills += traced.struck ? 1 : 0;
    world.expect_nothing_lost();
    world.expect_recovery();
  }
  std::cout << kills << " kills\n";
  return traced.calls;
}

}  // namespace popsync::test
