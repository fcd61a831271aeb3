// SPDX-License-Identifier: MIT
// The one way foreign octets (a server's reply, a certificate's name, a file name) reach a log, a terminal or an error message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace popsync {

constexpr std::size_t kEscapedOctetsMax = 256;  // a hostile reply must not flood the journal

// Control characters (C0, DEL, C1), line separators, bidirectional controls and octets that are not UTF-8 become \xNN, one for each
// octet; a backslash becomes \\. What is over `octets_max` input octets is cut and marked with an ellipsis.
std::string escaped(std::string_view foreign, std::size_t octets_max = kEscapedOctetsMax);

}  // namespace popsync
