// SPDX-License-Identifier: MIT
#include "pop3/types.h"

#include <charconv>

namespace popsync::pop3 {
namespace {

bool stands_for_itself(unsigned char octet) { return octet >= 0x21 && octet <= 0x7E && octet != '%' && octet != '#'; }

std::optional<unsigned char> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned char>(digit - '0');
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned char>(digit - 'A' + 10);
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned char>(digit - 'a' + 10);
  return std::nullopt;
}

// "#k" with k >= 2, at the end of the text.
std::optional<std::size_t> parse_occurrence(std::string_view digits) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 2) return std::nullopt;
  return value;
}

}  // namespace

std::string to_text(const UniqueId& uid, std::size_t occurrence) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : uid.octets) {
    const auto octet = static_cast<unsigned char>(c);
    if (stands_for_itself(octet)) {
      out += c;
    } else {
      out += '%';
      out += kHex[octet >> 4U];
      out += kHex[octet & 15U];
    }
  }
  if (occurrence >= 2) out += '#' + std::to_string(occurrence);
  return out;
}

std::optional<UniqueIdText> parse_unique_id_text(std::string_view text) {
  UniqueIdText out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '#') {
      const auto occurrence = parse_occurrence(text);
      if (!occurrence) return std::nullopt;
      out.occurrence = *occurrence;
      break;
    }
    if (c != '%') {
      if (!stands_for_itself(static_cast<unsigned char>(c))) return std::nullopt;
      out.uid.octets += c;
      continue;
    }
    if (text.size() < 2) return std::nullopt;
    const auto high = hex_value(text[0]);
    const auto low = hex_value(text[1]);
    if (!high || !low) return std::nullopt;
    out.uid.octets += static_cast<char>((*high << 4U) | *low);
    text.remove_prefix(2);
  }
  if (out.uid.octets.empty()) return std::nullopt;
  return out;
}

}  // namespace popsync::pop3
