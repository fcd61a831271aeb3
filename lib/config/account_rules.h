// SPDX-License-Identifier: MIT
// What must hold between the keys of one account, and between accounts, after each key by itself was found right. Pure: no
// file is looked at.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostic.h"

namespace popsync::config {

// Says what is missing or contradictory, sets the default port, expands {name}, {user}, {host} and "~/".
void complete_account(Account& account, const std::string& home, Diagnostics& diagnostics);

// Harmless, but hardly meant: a port that belongs to the other TLS mode, pins that nothing looks at.
void warn_about(const Account& account, Diagnostics& warnings);

// Two enabled accounts with one user at one host would take each other's messages and lock each other out: a mistake if their ports lead to one
// server, else one warning, for they may be tunnels. Sets Account::port_counts.
void compare_maildrops(std::vector<Account>& accounts, Diagnostics& diagnostics, Diagnostics& warnings);

}  // namespace popsync::config
