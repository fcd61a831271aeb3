// SPDX-License-Identifier: MIT
#include "config/config.h"

#include <algorithm>
#include <set>

namespace popsync::config {

const Account* Config::find(std::string_view name) const {
  const auto found = std::ranges::find(accounts, name, &Account::name);
  return found == accounts.end() ? nullptr : &*found;
}

std::vector<std::string> Config::password_variables() const {
  std::set<std::string> names;
  for (const Account& account : accounts) {
    if (account.secret.kind == secrets::SourceKind::environment) names.insert(account.secret.value);
  }
  return {names.begin(), names.end()};
}

}  // namespace popsync::config
