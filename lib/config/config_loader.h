// SPDX-License-Identifier: MIT
// Reads popsync.toml and conf.d/*.toml beside it (byte order), merges [defaults] into each account, checks everything.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostic.h"

namespace popsync::config {

struct LoadResult {
  Config config;                        // meaningful only when diagnostics is empty
  std::vector<Diagnostic> diagnostics;  // every mistake of meaning, in file and line order; a syntax error stands alone
  std::vector<std::string> warnings;    // harmless, but hardly meant: a port that belongs to the other TLS mode
};

// The main file and conf.d/*.toml, in the order in which they are read. Throws Error configuration if conf.d is there and cannot be read.
std::vector<std::string> files_of(const std::string& main_file);

// `home` expands "~/". A missing main file is no mistake (conf.d may hold all); `must_exist` (given with -c) does make it one. Never throws for what
// is in the files; throws Error file_not_found if `must_exist` and the file is absent, configuration if a file cannot be read.
LoadResult load(const std::string& main_file, const std::string& home, bool must_exist);

// The effective configuration as TOML with "# file:line" comments, secrets as "***"; of all accounts if none is named. Loading it again (with the
// secrets put back) gives the same values.
std::string to_toml(const Config& config, const std::vector<std::string>& account_names);

}  // namespace popsync::config
