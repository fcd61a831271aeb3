// SPDX-License-Identifier: MIT
#include "base/makeable.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/escape.h"

namespace popsync {

void need_makeable(const std::string& path) {
  std::error_code ignored;
  std::string there = path;
  while (!std::filesystem::exists(there, ignored) && there != "/") {
    if (std::filesystem::is_symlink(there, ignored)) {
      throw Error(ErrorCode::mailstore_unavailable, escaped(there) + " is a link to a place that does not exist", "is the disk mounted?");
    }
    there = there.substr(0, std::max<std::size_t>(there.find_last_of('/'), 1));
  }
  const bool folder = std::filesystem::is_directory(there, ignored);
  if (folder && ::eaccess(there.c_str(), W_OK | X_OK) == 0) return;
  const std::string reason = errno_text(folder ? errno : ENOTDIR);
  throw Error(
      ErrorCode::mailstore_unavailable,
      there == path ? "cannot write to " + escaped(path) + ": " + reason : "cannot make " + escaped(path) + ": " + escaped(there) + ": " + reason,
      folder ? "popsync runs as user " + std::to_string(::geteuid()) + ", which needs write and search permission there (ls -ld)" : "");
}

}  // namespace popsync
