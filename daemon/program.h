// SPDX-License-Identifier: MIT
// What every command starts from: options, paths, configuration. Loading it prints every mistake of the configuration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "options.h"
#include "process_setup.h"
#include "state/state_store.h"

namespace popsync {

struct Program {
  Options options;
  Paths paths;
  config::Config config;

  // The named accounts, or all enabled ones. Throws Error unknown_account (with the nearest name), or configuration if there is none at all.
  [[nodiscard]] std::vector<const config::Account*> chosen_accounts() const;
  [[nodiscard]] std::vector<std::string> account_names() const;
  // "popsync sync", for locks
  [[nodiscard]] std::string lock_name() const { return "popsync " + options.command; }
};

// Throws Error configuration after printing the mistakes on standard error, one a line.
Program load_program(Options options);

// Reads the configuration anew (SIGHUP). Mistakes are logged; empty then.
std::optional<config::Config> reload_config(const Paths& paths);

}  // namespace popsync
