// SPDX-License-Identifier: MIT
#include "config/tls_pin.h"

#include <cstdint>

namespace popsync::config {
namespace {

constexpr std::size_t kPinOctets = 32;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string octets;
  while (!text.empty()) {
    if (!octets.empty() && text.front() == ':') text.remove_prefix(1);
    if (text.size() < 2 || hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0) return std::nullopt;
    octets += static_cast<char>(hex_digit(text[0]) * 16 + hex_digit(text[1]));
    text.remove_prefix(2);
  }
  return octets;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 == 0 && text.ends_with('=')) text.remove_suffix(1);
  std::string octets;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      octets += static_cast<char>((bits >> count) & 0xFFU);
      bits &= (1U << count) - 1U;
    }
  }
  // Bits left over that are not zero: the text was cut or mistyped.
  if (bits != 0) return std::nullopt;
  return octets;
}

}  // namespace

std::optional<std::string> parse_pin(std::string_view text) {
  if (auto octets = from_hex(text); octets && octets->size() == kPinOctets) return octets;
  if (auto octets = from_base64(text); octets && octets->size() == kPinOctets) return octets;
  return std::nullopt;
}

}  // namespace popsync::config
