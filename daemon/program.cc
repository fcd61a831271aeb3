// SPDX-License-Identifier: MIT
#include "program.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/nearest.h"
#include "config/config_loader.h"

namespace popsync {

std::vector<const config::Account*> Program::chosen_accounts() const {
  std::vector<const config::Account*> chosen;
  if (options.accounts.empty()) {
    for (const config::Account& account : config.accounts) {
      if (account.enabled) chosen.push_back(&account);
    }
    if (chosen.empty()) {
      if (!config.accounts.empty()) {
        throw Error(ErrorCode::configuration, "no account is enabled", "`enabled = true` in the account's section enables it, or name the account");
      }
      throw Error(ErrorCode::configuration, "no account",
                  "describe one in " + escaped(paths.config_file) + "; `man popsync` and minimal.toml show the five lines it takes");
    }
    return chosen;
  }
  for (const std::string& name : options.accounts) {
    const config::Account* account = config.find(name);
    if (account == nullptr) {
      throw Error(ErrorCode::unknown_account, "unknown account \"" + escaped(name) + "\"" + did_you_mean(name, account_names()),
                  "popsync config lists the accounts");
    }
    if (std::ranges::count(chosen, account) == 0) chosen.push_back(account);
  }
  return chosen;
}

std::vector<std::string> Program::account_names() const {
  std::vector<std::string> names;
  for (const config::Account& account : config.accounts) names.push_back(account.name);
  return names;
}

namespace {

// Once: by the command that makes the state.
void warn_root(const Program& program) {
  const bool makes_state = program.options.command == "sync" || program.options.command == "run";
  const bool exists = ::access((program.paths.state_dir + "/state.db").c_str(), F_OK) == 0;
  if (program.paths.stays_root && makes_state && !exists)
    log_warning("", "running as root: what mail servers send is better handled by an ordinary user");
}

void warn_file_size_limit(const Program& program) {
  const auto limit = file_size_limit();
  if (!limit || (program.options.command != "sync" && program.options.command != "run" && program.options.command != "check")) return;
  log_warning("", "no file may grow beyond " + human_octets(*limit) +
                      " here (ulimit -f, LimitFSIZE=): larger messages are held, and an mbox or the state that reaches it stops as on a full disk");
}

// What cannot be read is one mistake to `status`: the daemon works on, and monitoring asks.
config::LoadResult load(const Program& program) {
  const Paths& paths = program.paths;
  try {
    return config::load(paths.config_file, paths.home, paths.config_must_exist);
  } catch (const Error& error) {
    if (program.options.command != "status" || error.code() != ErrorCode::configuration) throw;
    return {.config = {}, .diagnostics = {{.where = {.file = paths.config_file}, .text = error.what()}}, .warnings = {}};
  }
}

}  // namespace

std::string mistakes_text(std::size_t mistakes) { return counted(mistakes, "mistake") + " in the configuration"; }

Program load_program(Options options) {
  Program program{.options = std::move(options), .paths = {}, .config = {}};
  program.paths = choose_paths(program.options.config_file, program.options.state_dir, program.options.system);
  warn_root(program);
  warn_file_size_limit(program);
  program.read = configuration_now(program.paths.config_file);
  config::LoadResult loaded = load(program);
  for (const std::string& warning : loaded.warnings) log_warning("", warning);
  for (const config::Diagnostic& diagnostic : loaded.diagnostics) {
    std::cerr << (diagnostic.where.line == 0 ? diagnostic.text : config::to_text(diagnostic)) << '\n';
  }
  if (!loaded.diagnostics.empty()) {
    if (program.options.command != "status")
      throw Error(ErrorCode::configuration, mistakes_text(loaded.diagnostics.size()) + "; nothing was started");
    program.mistakes = std::move(loaded.diagnostics);
    return program;
  }
  program.config = std::move(loaded.config);
  return program;
}

std::optional<config::Config> reload_config(const Paths& paths) {
  config::LoadResult loaded = config::load(paths.config_file, paths.home, paths.config_must_exist);
  for (const std::string& warning : loaded.warnings) log_warning("", warning);
  for (const config::Diagnostic& diagnostic : loaded.diagnostics) log_error("", config::to_text(diagnostic));
  if (!loaded.diagnostics.empty()) return std::nullopt;
  return std::move(loaded.config);
}

}  // namespace popsync
