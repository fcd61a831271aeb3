// SPDX-License-Identifier: MIT
// Reads one configuration file; the only place that knows the TOML library.
#pragma once

#include <optional>
#include <string>

#include "config/value.h"
#include "secrets/secret_rules.h"

namespace popsync::config {

constexpr std::size_t kConfigOctetsMax = 16 * 1024 * 1024;  // thousands of accounts; a larger file was named by mistake

struct TomlFile {
  Value root;                                 // a table
  std::optional<Diagnostic> syntax;           // then `root` is empty
  std::optional<secrets::Exposure> exposure;  // who else could read a password in it
};

// Empty if there is no such file. Throws Error configuration if it cannot be read.
std::optional<TomlFile> read_toml_file(const std::string& path);

}  // namespace popsync::config
