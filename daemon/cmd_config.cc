// SPDX-License-Identifier: MIT
// popsync config: the effective configuration.
#include <iostream>

#include "commands.h"
#include "config/config_keys.h"
#include "config/config_loader.h"
#include "json_text.h"

namespace popsync {
namespace {

Poco::JSON::Object::Ptr as_json(const config::Account& account) {
  auto out = json_object();
  out->set("name", account.name);
  for (const config::Key& key : config::all_keys()) {
    if (key.section != config::Section::account) continue;
    if (const std::string value = key.show_account(account); !value.empty()) out->set(std::string(key.name), value);
  }
  return out;
}

}  // namespace

int cmd_config(Program& program) {
  std::vector<std::string> names;
  if (!program.options.accounts.empty()) {
    for (const config::Account* account : program.chosen_accounts()) names.push_back(account->name);
  }
  if (!program.options.json) {
    std::cout << config::to_toml(program.config, names);
    return 0;
  }
  auto answer = json_answer();
  auto files = json_array();
  for (const std::string& file : program.config.files) files->add(file);
  answer->set("files", files);
  auto accounts = json_array();
  for (const config::Account& account : program.config.accounts) {
    if (names.empty() || std::ranges::find(names, account.name) != names.end()) accounts->add(as_json(account));
  }
  answer->set("accounts", accounts);
  print_json(answer);
  return 0;
}

}  // namespace popsync
