// SPDX-License-Identifier: MIT
// A file's octets, for tests that compare folders.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace popsync::test {

// Empty if there is no such file.
inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace popsync::test
