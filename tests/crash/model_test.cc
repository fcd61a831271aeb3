// SPDX-License-Identifier: MIT
// Random lives of a maildrop and a Maildir. A failing seed is told and can be repeated alone: POPSYNC_SEED=n build/crash --gtest_filter='*Model*'.
// What made a seed fail becomes a test with a name once it is mended.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "support/crash_model.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

constexpr std::uint64_t kParts = 10;
constexpr std::uint64_t kSeeds = 200;
constexpr std::uint64_t kSeedsThorough = 10'000;

class Model : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Model, KeepsEveryMessageExactlyOnce) {
  if (const char* only = std::getenv("POPSYNC_SEED"); only != nullptr) {
    if (GetParam() != 0) GTEST_SKIP() << "POPSYNC_SEED names one seed";
    CrashModel(std::stoull(only)).live();
    return;
  }
  const std::uint64_t seeds = random_cases(kSeeds, kSeedsThorough) / kParts;
  const std::uint64_t first = 1 + GetParam() * seeds;
  std::cout << "[ seeds    ] " << first << " to " << first + seeds - 1 << '\n';
  for (std::uint64_t seed = first; seed < first + seeds && !HasFailure(); ++seed) CrashModel(seed).live();
}

INSTANTIATE_TEST_SUITE_P(Part, Model, testing::Range<std::uint64_t>(0, kParts));

}  // namespace
}  // namespace popsync::test
