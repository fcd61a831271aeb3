// SPDX-License-Identifier: MIT
#include "file_condition.h"

#include <sys/stat.h>

namespace popsync {

std::string condition_of(const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return file + "\n";
  std::string text = file;
  for (const auto number : {static_cast<std::int64_t>(found.st_ino), static_cast<std::int64_t>(found.st_mtim.tv_sec),
                            static_cast<std::int64_t>(found.st_mtim.tv_nsec), static_cast<std::int64_t>(found.st_size)}) {
    text += " " + std::to_string(number);
  }
  return text + "\n";
}

std::optional<FileChange> last_change(std::span<const std::string> files) {
  std::optional<FileChange> last;
  for (const std::string& file : files) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) continue;
    // Of the name as well as of the content: a file that was moved here keeps its time of modification.
    const WallTime at = from_unix_seconds(found.st_ctim.tv_sec) + std::chrono::nanoseconds(found.st_ctim.tv_nsec);
    if (!last || at > last->at) last = FileChange{.file = file, .at = at};
  }
  return last;
}

}  // namespace popsync
