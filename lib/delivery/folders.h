// SPDX-License-Identifier: MIT
// Folders that mail is put into, made durable before anything is put there. Errors: those of Fs.
#pragma once

#include <string>
#include <string_view>

#include "base/fs.h"

namespace popsync::delivery {

// The folder that holds `path`, and its last part. `path` is absolute.
std::string folder_of(std::string_view path);
std::string last_part(std::string_view path);

// Opens a folder, making it and its missing parents; each is durable in its parent before anything is put into it.
UniqueFd make_path(Fs& fs, const std::string& path);
// The same for one folder below an open one.
UniqueFd make_folder(Fs& fs, int parent, const std::string& name);

// The folder `dir` and the one at `path` are on one file system; false if there is none at `path`.
bool same_device(Fs& fs, int dir, const std::string& path);

}  // namespace popsync::delivery
