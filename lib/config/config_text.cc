// SPDX-License-Identifier: MIT
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "config/config_keys.h"
#include "config/config_loader.h"
#include "config/value.h"

namespace popsync::config {
namespace {

void add_line(std::string& text, const Key& key, const std::string& value, const std::map<std::string, Origin>& origins) {
  if (value.empty()) return;
  const auto origin = origins.find(std::string(key.name));
  text += fmt::format("{} = {}  # {}\n", key.name, value, origin == origins.end() ? "default" : place_text(origin->second));
}

void add_daemon(std::string& text, const Daemon& daemon) {
  text += "[daemon]\n";
  for (const Key& key : all_keys()) {
    if (key.section == Section::daemon) add_line(text, key, key.show_daemon(daemon), daemon.origins);
  }
}

void add_account(std::string& text, const Account& account) {
  text += fmt::format("\n[accounts.{}]  # {}\n", toml_quoted(account.name), place_text(account.origin));
  for (const Key& key : all_keys()) {
    if (key.section == Section::account) add_line(text, key, key.show_account(account), account.origins);
  }
}

}  // namespace

std::string to_toml(const Config& config, const std::vector<std::string>& account_names) {
  std::string text;
  add_daemon(text, config.daemon);
  for (const Account& account : config.accounts) {
    const bool wanted = account_names.empty() || std::ranges::find(account_names, account.name) != account_names.end();
    if (wanted) add_account(text, account);
  }
  return text;
}

}  // namespace popsync::config
