// SPDX-License-Identifier: MIT
#include "base/random.h"

#include <sys/random.h>

#include <cstring>
#include <string_view>

#include "base/error.h"

namespace popsync {

std::string random_octets(std::size_t count) {
  std::string out(count, '\0');
  // Requests of up to 256 octets are never cut short (getrandom(2)).
  POPSYNC_ASSERT(count <= 256);
  POPSYNC_ASSERT(::getrandom(out.data(), count, 0) == static_cast<ssize_t>(count));
  return out;
}

std::uint64_t random_u64() {
  const std::string octets = random_octets(sizeof(std::uint64_t));
  std::uint64_t value = 0;
  std::memcpy(&value, octets.data(), sizeof value);
  return value;
}

std::string to_hex(std::string_view octets) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(octets.size() * 2);
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    out += kHex[octet >> 4U];
    out += kHex[octet & 15U];
  }
  return out;
}

}  // namespace popsync
