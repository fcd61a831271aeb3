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

}  // namespace popsync::delivery
