// SPDX-License-Identifier: MIT
// What every secret and every file that holds one must fulfil, wherever it comes from. Pure.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>

namespace popsync::secrets {

// What keeps `octets` from being sent as a user name or a password ("is empty", "contains a line end"), or nothing. CR, LF and NUL would end the
// command line and start another; a leading space would be lost between "PASS" and the password.
std::optional<std::string> fault_of_login_word(std::string_view octets);

// Who else could read a file that holds a secret ("others may read it (mode 0644)"), or nothing. It must be owned by us or by root, have nothing for
// others, and something for its group only if that is our own.
std::optional<std::string> exposure_of(const struct stat& status, uid_t our_user, gid_t our_group);

}  // namespace popsync::secrets
