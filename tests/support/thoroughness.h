// SPDX-License-Identifier: MIT
// Tests that go through many cases take a part of them, unless POPSYNC_LONG=1 (`./dev test --long`) asks for all. Which part, a seed says: another
// one each time, so that all are tried in the end; POPSYNC_SEED repeats a run. With a sanitizer they take a small part: it makes each case several
// times as long, and what it looks for does not hang on which of two calls beside each other is struck.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>

namespace popsync::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
constexpr std::uint64_t kFewer = 10;  // times, of the steps of a sweep
constexpr std::uint64_t kFewerOfFew = 5;
constexpr std::uint64_t kFewerCases = 5;
#else
constexpr bool kSanitized = false;
constexpr std::uint64_t kFewer = 2;
constexpr std::uint64_t kFewerOfFew = 1;
constexpr std::uint64_t kFewerCases = 1;
#endif

inline bool thorough() {
  const char* value = std::getenv("POPSYNC_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

// What this process tries. Printed when it is first asked for, so that a failure can be found again.
inline std::uint64_t seed_of_run() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("POPSYNC_SEED");
    const std::uint64_t chosen = given == nullptr ? std::random_device()() : std::stoull(given);
    std::cout << "POPSYNC_SEED=" << chosen << std::endl;
    return chosen;
  }();
  return seed;
}

// Every case, or one in `stride`. Few are the cases of a sweep within a sweep, and of one that starts the program for each.
inline std::uint64_t every(std::uint64_t stride) { return thorough() ? 1 : stride * kFewer; }
inline std::uint64_t every_of_few(std::uint64_t stride) { return thorough() ? 1 : stride * kFewerOfFew; }

// The first case, where one in `stride` is taken.
inline std::uint64_t first_of(std::uint64_t stride) { return stride == 1 ? 1 : 1 + seed_of_run() % stride; }

// How many of the cases that are made at random.
inline std::uint64_t random_cases(std::uint64_t usual, std::uint64_t all) { return thorough() ? all : usual / kFewerCases; }

}  // namespace popsync::test
