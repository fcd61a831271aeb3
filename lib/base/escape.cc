// SPDX-License-Identifier: MIT
#include "base/escape.h"

#include <cstdint>

namespace popsync {
namespace {

struct Scalar {
  std::uint32_t value = 0;
  std::size_t length = 0;  // 0: not UTF-8
};

// Decodes one character at the front of `text`; refuses overlong forms and surrogates.
Scalar decode(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = octet(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  std::uint32_t value = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xC0U) != 0x80U) return {};
    value = (value << 6U) | (octet(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {};
  return {value, length};
}

bool printable(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7F && c <= 0x9F)) return false;
  if (c == 0x2028 || c == 0x2029 || c == 0x200E || c == 0x200F || c == 0x061C || c == 0xFEFF) return false;
  return !((c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069));
}

}  // namespace

std::string escaped(std::string_view foreign, std::size_t octets_max) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const bool cut = foreign.size() > octets_max;
  std::string_view rest = foreign.substr(0, octets_max);
  std::string out;
  out.reserve(rest.size());
  while (!rest.empty()) {
    const Scalar next = decode(rest);
    if (next.length > 0 && printable(next.value)) {
      if (next.value == '\\') out += '\\';
      out += rest.substr(0, next.length);
      rest.remove_prefix(next.length);
      continue;
    }
    for (std::size_t i = 0; i < (next.length == 0 ? 1 : next.length); ++i) {
      const auto octet = static_cast<unsigned char>(rest[i]);
      out += "\\x";
      out += kHex[octet >> 4U];
      out += kHex[octet & 15U];
    }
    rest.remove_prefix(next.length == 0 ? 1 : next.length);
  }
  if (cut) out += "\u2026";
  return out;
}

}  // namespace popsync
