// SPDX-License-Identifier: MIT
// Do two ports lead to the same server? POP3's own two do: with TLS from the first octet, or behind STLS.
#pragma once

#include <cstdint>

namespace popsync {

constexpr std::uint16_t kPortPlain = 110;
constexpr std::uint16_t kPortImplicitTls = 995;

constexpr bool same_port(std::uint16_t left, std::uint16_t right) {
  const auto usual = [](std::uint16_t port) { return port == kPortPlain || port == kPortImplicitTls; };
  return left == right || (usual(left) && usual(right));
}

}  // namespace popsync
