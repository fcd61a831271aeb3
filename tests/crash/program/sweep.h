// SPDX-License-Identifier: MIT
// Steps 1, 2, 3 ... at each of which the program is killed, until there is none left.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "killed_sync.h"
#include "traced_run.h"

namespace popsync::test {

// Which of the steps are tried: with POPSYNC_LONG=1 all of them, else every `step`-th from a random one on ($POPSYNC_SEED repeats a run). Printed, so
// that a failure can be found again.
struct Sweep {
  explicit Sweep(std::size_t thinned_to_every);
  std::size_t first = 1;
  std::size_t step = 1;
};

// `run` lets the program run and be killed at its n-th stop; each time in a new world, of which everything must hold then, and after the next sync.
// It ends with a run that was not killed: there is no call behind the last kill. Gives the calls of that one.
std::vector<FileCall> kill_at_every_call(const Setting& setting, std::size_t thinned_to_every,
                                         const std::function<TracedResult(KilledSync& world, std::size_t nth)>& run);

}  // namespace popsync::test
