// SPDX-License-Identifier: MIT
// What every command starts from: options, paths, configuration. Loading it prints every mistake of the configuration; `status` answers in spite of
// them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostic.h"
#include "configuration_read.h"
#include "options.h"
#include "process_setup.h"
#include "state/state_store.h"

namespace popsync {

struct Program {
  Options options;
  Paths paths;
  config::Config config;              // empty if there are mistakes
  config::Diagnostics mistakes = {};  // of `status` alone; line 0: the file could not be read at all
  ConfigurationRead read = {};

  // The named accounts, or all enabled ones. Throws Error unknown_account (with the nearest name), or configuration if there is none at all.
  [[nodiscard]] std::vector<const config::Account*> chosen_accounts() const;
  [[nodiscard]] std::vector<std::string> account_names() const;
  // "popsync sync", for locks
  [[nodiscard]] std::string lock_name() const { return "popsync " + options.command; }
};

// Prints the mistakes on standard error, one a line, and throws Error configuration; for `status` they are kept instead.
Program load_program(Options options);

// Reads the configuration anew (SIGHUP). Mistakes are logged; empty then.
std::optional<config::Config> reload_config(const Paths& paths);

// "1 mistake in the configuration"
std::string mistakes_text(std::size_t mistakes);

}  // namespace popsync
