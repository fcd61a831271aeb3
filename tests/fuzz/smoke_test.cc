// SPDX-License-Identifier: MIT
// Every harness over its corpus, and over inputs that a few random changes make of it. What libFuzzer finds in hours this does not; that nothing
// which was found comes back, and that the harnesses themselves are in order, it shows in seconds and without clang.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "base/random.h"
#include "fuzz/harness.h"
#include "support/temp_folder.h"
#include "support/thoroughness.h"

namespace popsync::fuzz {

// Else a test's name would show addresses.
void PrintTo(const Harness& harness, std::ostream* out) { *out << harness.name; }

namespace {

namespace stdfs = std::filesystem;

constexpr std::size_t kThoroughly = 50;  // times as many, with POPSYNC_LONG=1

std::vector<std::string> corpus_of(std::string_view harness) {
  std::vector<stdfs::path> files;
  for (const auto& entry : stdfs::directory_iterator(stdfs::path(POPSYNC_CORPUS) / harness)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> inputs;
  for (const stdfs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

std::uint64_t chosen_seed() {
  const char* given = std::getenv("POPSYNC_SEED");
  return given != nullptr ? std::stoull(given) : random_u64();
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  std::string next() {
    std::string input = any();
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) change(input);
    return input;
  }

 private:
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(random_() % count); }
  const std::string& any() { return corpus_[below(corpus_.size())]; }
  std::string piece_of(const std::string& text) {
    const std::size_t from = below(text.size() + 1);
    return text.substr(from, below(std::min<std::size_t>(text.size() - from, 64) + 1));
  }

  void change(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    switch (below(5)) {
      case 0: input.insert(at, 1, static_cast<char>(below(256))); break;
      case 1: input.insert(at, piece_of(any())); break;
      case 2: input.erase(at, 1 + below(16)); break;
      case 3: input.resize(at); break;
      default:
        if (at < input.size()) input[at] = static_cast<char>(below(256));
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

class Fuzz : public testing::TestWithParam<Harness> {};

TEST_P(Fuzz, WhatIsClaimedHoldsForTheCorpusAndWhatIsNearIt) {
  const std::vector<std::string> corpus = corpus_of(GetParam().name);
  ASSERT_FALSE(corpus.empty());
  const std::uint64_t seed = chosen_seed();
  const test::TempFolder folder("fuzz-smoke");
  std::cout << "POPSYNC_SEED=" << seed << "; should this end here, the input was " << folder / "input" << std::endl;
  const auto run = [&](const std::string& input) {
    folder.write("input", input);
    GetParam().run(input);
  };
  for (const std::string& input : corpus) run(input);
  Mutator mutator(corpus, seed);
  const std::uint64_t mutations = test::random_cases(GetParam().mutations, GetParam().mutations * kThoroughly);
  for (std::uint64_t i = 0; i < mutations; ++i) run(mutator.next());
}

INSTANTIATE_TEST_SUITE_P(Harnesses, Fuzz, testing::ValuesIn(kHarnesses), [](const auto& test) { return std::string(test.param.name); });

TEST(FuzzCorpus, HasAFolderForEachHarnessAndNoOther) {
  std::vector<std::string> folders;
  for (const auto& entry : stdfs::directory_iterator(POPSYNC_CORPUS)) folders.push_back(entry.path().filename());
  std::vector<std::string> names;
  for (const Harness& harness : kHarnesses) names.emplace_back(harness.name);
  EXPECT_THAT(folders, testing::UnorderedElementsAreArray(names));
}

TEST(FuzzHarness, AClaimThatDoesNotHoldEndsTheProcess) {
  claim(true, "nothing");
  EXPECT_DEATH(claim(false, "one is two"), "does not hold: one is two");
}

}  // namespace
}  // namespace popsync::fuzz
