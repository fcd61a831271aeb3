// SPDX-License-Identifier: MIT
#include "support/skip.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <string_view>

namespace popsync::test {

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? std::optional(name) : std::nullopt;
  const char* path = std::getenv("PATH");
  std::istringstream folders((path != nullptr ? std::string(path) : "/usr/local/bin:/usr/bin:/bin") + ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && ::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  }
  return std::nullopt;
}

bool program_available(const std::string& name) { return find_program(name).has_value(); }

bool everything_required() {
  const char* value = std::getenv("POPSYNC_REQUIRE_ALL");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace popsync::test
