// SPDX-License-Identifier: MIT
// Was a file changed? Told by its number, size and time of modification, without reading it.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/clock.h"

namespace popsync {

// One line of text, with the path; differs once the file was changed, replaced, made or removed.
std::string condition_of(const std::string& file);

struct FileChange {
  std::string file;
  WallTime at{};
};

// The one of these files and folders that was changed last, or put in its place last; empty if none is there.
std::optional<FileChange> last_change(std::span<const std::string> files);

}  // namespace popsync
