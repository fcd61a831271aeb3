// SPDX-License-Identifier: MIT
// One mistake of meaning in a configuration file, and where it stands.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace popsync::config {

struct Diagnostic {
  Origin where;
  std::string text;  // what is wrong, what was expected
};
using Diagnostics = std::vector<Diagnostic>;

// "file:line:column: text"
std::string to_text(const Diagnostic& diagnostic);

}  // namespace popsync::config
