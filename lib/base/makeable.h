// SPDX-License-Identifier: MIT
// Would there be a folder at a path, if one were made? Asked without making anything, for `popsync check`.
#pragma once

#include <string>

namespace popsync {

// Throws Error mailstore_unavailable if the folder is there and we may not write to it, or is not there and could not be made with its parents. What
// passes may still fail: a full disk, or one that is gone, shows only when something is written. `path` is absolute.
void need_makeable(const std::string& path);

}  // namespace popsync
