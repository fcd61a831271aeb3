// SPDX-License-Identifier: MIT
#include "auth/apop.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/digest.h"

namespace popsync::auth {
namespace {

// RFC 822 atoms and dots; no blanks, quotes, angle brackets or 8-bit octets.
bool well_formed_part(std::string_view part) {
  constexpr std::string_view kSpecials = "()<>@,;:\\\"[]";
  return !part.empty() && part.front() != '.' && part.back() != '.' &&
         std::ranges::all_of(part, [&](char c) { return c > 0x20 && c < 0x7F && kSpecials.find(c) == std::string_view::npos; });
}

}  // namespace

std::optional<std::string> find_apop_stamp(std::string_view greeting_text) {
  const auto begin = greeting_text.find('<');
  const auto end = begin == std::string_view::npos ? begin : greeting_text.find('>', begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = greeting_text.substr(begin + 1, end - begin - 1);
  const auto at = inside.find('@');
  if (at == std::string_view::npos || !well_formed_part(inside.substr(0, at)) || !well_formed_part(inside.substr(at + 1))) return std::nullopt;
  return std::string(greeting_text.substr(begin, end - begin + 1));
}

std::string apop_digest(std::string_view stamp, std::string_view secret) {
  std::string input = std::string(stamp);
  input.reserve(stamp.size() + secret.size());  // no reallocation may leave a copy of the secret behind
  input += secret;
  std::string digest = md5_hex(input);
  OPENSSL_cleanse(input.data(), input.size());
  return digest;
}

}  // namespace popsync::auth
