// SPDX-License-Identifier: MIT
// popsync accept --user: the maildrop of the new user is compared with what is stored of the old one, and taken if it is the same.
#pragma once

#include "session_command.h"

namespace popsync {

// Of an account that is stopped because it has another user, under its lock. False if the operator says no. Throws Error account_identity if it is
// another maildrop, or if nothing tells and there is no terminal to ask at; nothing is changed then.
bool take_user_of_same_maildrop(const SessionCommand& command, const state::AccountRow& stored);

}  // namespace popsync
