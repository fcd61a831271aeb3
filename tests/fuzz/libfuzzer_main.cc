// SPDX-License-Identifier: MIT
// One harness as a program of libFuzzer; which one, CMake says.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/harness.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  popsync::fuzz::POPSYNC_HARNESS({reinterpret_cast<const char*>(data), size});
  return 0;
}
