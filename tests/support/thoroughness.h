// SPDX-License-Identifier: MIT
// Tests that go through many cases take a part of them, unless POPSYNC_LONG=1 (`./dev test --long`) asks for all.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace popsync::test {

inline bool thorough() {
  const char* value = std::getenv("POPSYNC_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

// Every case, or one in `stride`.
inline std::uint64_t every(std::uint64_t stride) { return thorough() ? 1 : stride; }

}  // namespace popsync::test
