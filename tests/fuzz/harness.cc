// SPDX-License-Identifier: MIT
#include "fuzz/harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace popsync::fuzz {

void claim(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

unsigned Input::octet() {
  const std::string_view taken = take(1);
  return taken.empty() ? 0 : static_cast<unsigned char>(taken.front());
}

std::string_view Input::take(std::size_t count) {
  const std::string_view taken = left_.substr(0, count);
  left_.remove_prefix(taken.size());
  return taken;
}

std::string_view Input::until(char separator) {
  const std::string_view taken = take(std::min(left_.find(separator), left_.size()));
  take(1);
  return taken;
}

std::vector<std::size_t> take_segment_sizes(Input& input) {
  std::vector<std::size_t> sizes;
  for (unsigned count = (input.octet() + 256U - '0') % 256 % 10; count > 0; --count) sizes.push_back(1 + (input.octet() + 256U - 'a') % 256);
  return sizes;
}

std::vector<char> take_segment(std::string_view& stream, const std::vector<std::size_t>& sizes, std::size_t turn) {
  const std::size_t size = sizes.empty() ? stream.size() : std::min(sizes[turn % sizes.size()], stream.size());
  std::vector<char> segment(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
  stream.remove_prefix(size);
  return segment;
}

void for_each_segment(std::string_view stream, const std::vector<std::size_t>& sizes, const std::function<void(std::string_view)>& use) {
  for (std::size_t turn = 0; !stream.empty(); ++turn) {
    const std::vector<char> segment = take_segment(stream, sizes, turn);
    use({segment.data(), segment.size()});
  }
}

}  // namespace popsync::fuzz
