// SPDX-License-Identifier: MIT
// The files put together: which keys stand in [daemon], [defaults] and each [accounts.NAME]. Nothing is overridden between files; a key or an account
// in two of them is a mistake, because nobody could tell which one counts. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace popsync::config {

struct AccountSection {
  std::string name;
  Origin where;
  std::vector<Entry> entries;
};

// Known keys only.
struct Sections {
  std::vector<Entry> daemon;
  std::vector<Entry> defaults;
  std::vector<AccountSection> accounts;
};

// Adds what one file says; what is unknown or said twice goes to `diagnostics`.
void add_file(const Value& root, Sections& sections, Diagnostics& diagnostics);

// The entries that make an account: its own, and those of [defaults] that it does not set itself. An own source of the secret replaces any in
// [defaults].
std::vector<Entry> merged(const AccountSection& account, const std::vector<Entry>& defaults);

// [A-Za-z0-9][A-Za-z0-9._@+-]{0,63}
bool is_account_name(std::string_view name);

}  // namespace popsync::config
