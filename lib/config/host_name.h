// SPDX-License-Identifier: MIT
// What may stand as `host`: a name or an IP literal, nothing around it. A wrong one is told apart here, because the resolver's answer to "host:port"
// is only that the name does not exist. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace popsync::config {

// What is wrong and how it is written right, or nothing.
std::optional<std::string> fault_of_host(std::string_view host);

// ASCII letters in lower case, as names compare (RFC 4343).
std::string lower_case(std::string_view text);

}  // namespace popsync::config
