// SPDX-License-Identifier: MIT
// Reads popsync.toml and conf.d/*.toml beside it (byte order), merges [defaults] into each account, checks everything.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace popsync::config {

struct Diagnostic {
  Origin where;
  std::string text;  // what is wrong, what was expected
};
// "file:line:column: text"
std::string to_text(const Diagnostic& diagnostic);

struct LoadResult {
  Config config;                        // meaningful only when diagnostics is empty
  std::vector<Diagnostic> diagnostics;  // every mistake of meaning, in file and line order; a syntax error stands alone
  std::vector<std::string>
      warnings;  // e.g. a file with a literal password readable by others is an error, not a warning; keep this for harmless oddities
};

// `home` expands "~/". A missing main file is no mistake (conf.d may hold all); `must_exist` (given with -c) makes it one, with the diagnostic's text
// saying so. Never throws for what is in the files; throws Error file_not_found if must_exist and the file is absent, configuration if it cannot be
// read.
LoadResult load(const std::string& main_file, const std::string& home, bool must_exist);

// The effective configuration as TOML with "# file:line" comments, secrets as "***". Loading it again (with the secrets put back) gives the same
// values.
std::string to_toml(const Config& config, const std::vector<std::string>& account_names);

}  // namespace popsync::config
