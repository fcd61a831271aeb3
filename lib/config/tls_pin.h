// SPDX-License-Identifier: MIT
// The SHA-256 of a SubjectPublicKeyInfo as people paste it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace popsync::config {

// 32 octets from 64 hexadecimal digits (colons between pairs are allowed) or from base64; empty if it is neither.
std::optional<std::string> parse_pin(std::string_view text);

}  // namespace popsync::config
