// SPDX-License-Identifier: MIT
// UID arguments as users give them, against rows or a listing.
#pragma once

#include <string>
#include <vector>

#include "pop3/types.h"

namespace popsync {

// Throws Error unknown_uid if the text is not of the form that list prints.
pop3::UniqueIdText parse_uid_argument(const std::string& text);
[[noreturn]] void refuse_unknown_uid(const std::string& text, const std::string& account);

}  // namespace popsync
