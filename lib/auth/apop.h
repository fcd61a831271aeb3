// SPDX-License-Identifier: MIT
// APOP (RFC 1939 section 7). Never chosen by itself: MD5 collisions let a hostile server learn the secret (CVE-2007-1558); asked for, the stamp
// must have the strict form of a message-id, which closes the known attack.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace popsync::auth {

// The "<...@...>" anywhere in the greeting's text, if it is a well-formed message-id of printable ASCII; else empty.
std::optional<std::string> find_apop_stamp(std::string_view greeting_text);

// 32 hex digits: MD5 over stamp and secret.
std::string apop_digest(std::string_view stamp, std::string_view secret);

}  // namespace popsync::auth
