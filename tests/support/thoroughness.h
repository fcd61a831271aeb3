// SPDX-License-Identifier: MIT
// Tests that go through many cases take a part of them, unless POPSYNC_LONG=1 (`./dev test --long`) asks for all. With a sanitizer they take a small
// part: it makes each case several times as long, and what it looks for does not hang on which of two calls beside each other is struck.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace popsync::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kFewer = 5;  // times
#else
constexpr std::uint64_t kFewer = 1;
#endif

inline bool thorough() {
  const char* value = std::getenv("POPSYNC_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

// Every case, or one in `stride`.
inline std::uint64_t every(std::uint64_t stride) { return thorough() ? 1 : stride * kFewer; }

// How many of the cases that are made at random.
inline std::uint64_t random_cases(std::uint64_t usual, std::uint64_t all) { return thorough() ? all : usual / kFewer; }

}  // namespace popsync::test
