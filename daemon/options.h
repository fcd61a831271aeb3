// SPDX-License-Identifier: MIT
// The command line as plain values. Options may stand before or after the command.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace popsync {

struct Options {
  std::string command;
  // of every command
  std::string config_file;  // empty: the default of user or system
  std::string state_dir;    // empty: likewise
  bool system = false;
  int verbosity = 0;  // 1: debug, -1: warnings and errors only
  bool json = false;
  bool trace = false;
  std::optional<std::chrono::milliseconds> wait;
  // of some
  std::vector<std::string> accounts;
  std::vector<std::string> uids;
  std::string old_name;
  std::string new_name;
  bool dry_run = false;
  bool connect = false;
  bool mailstore = false;
  bool gone = false;
  bool foreign_mail = false;
  bool user = false;
  bool failing = false;
  bool exit_code = false;
  bool all = false;
  bool missing = false;
  bool yes = false;
  std::optional<std::uint32_t> number;
};

// Throws Error usage for what makes no sense. Empty: help or the version was asked for and printed.
std::optional<Options> parse_options(int argc, char** argv);

}  // namespace popsync
