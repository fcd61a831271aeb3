// SPDX-License-Identifier: MIT
// UID arguments as users give them, against rows or a listing.
#pragma once

#include <string>
#include <vector>

#include "pop3/types.h"
#include "state/state_store.h"

namespace popsync {

// Throws Error unknown_uid if the text is not of the form that list prints.
pop3::UniqueIdText parse_uid_argument(const std::string& text);
[[noreturn]] void refuse_unknown_uid(const std::string& text, const std::string& account);
// The rows of the account that the texts name; staged ones are recovery's and not to be named: their files may be published already. Throws Error
// unknown_uid.
std::vector<state::MessageRow> rows_named(state::StateStore& store, const state::AccountRow& account, const std::vector<std::string>& texts);

}  // namespace popsync
