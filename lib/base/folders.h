// SPDX-License-Identifier: MIT
// Folders on the way to what must not be lost. Errors: those of Fs.
#pragma once

#include <string>
#include <string_view>

#include "base/fs.h"

namespace popsync {

// The folder that holds `path`, and its last part. `path` is absolute.
std::string folder_of(std::string_view path);
std::string last_part(std::string_view path);

// Opens a folder, making it and its missing parents; durable when it returns. A folder that is there may have been made by a process that was killed
// before it could sync it, and nobody can tell: so every parent is synced, up to the first in which nothing can have been made. What it made is
// removed again if it cannot be synced.
UniqueFd make_path(Fs& fs, const std::string& path);
// The same for one folder below an open one, which is durable itself.
UniqueFd make_folder(Fs& fs, int parent, const std::string& name);

// The folder `dir` and the one at `path` are on one file system; false if there is none at `path`. A path that the table of mounts shows to lie
// elsewhere is not touched: that file system may not answer.
bool same_device(Fs& fs, int dir, const std::string& path);

}  // namespace popsync
