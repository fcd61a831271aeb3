// SPDX-License-Identifier: MIT
// Whoever writes the id file of a Maildir keeps the other accounts of this state away that share it. A lock of its own for each Maildir, and neither
// a transaction nor the state's lock: a file system that does not answer would hold up every account.
#pragma once

#include <optional>
#include <string>

#include "base/fs.h"
#include "state/file_lock.h"
#include "state/state_store.h"

namespace popsync::sync {

// Of the folder at `path`, by whatever path it is reached; empty if there is none. Waits for moments; throws Error lock_held then.
std::optional<state::FileLock> lock_id_file(const state::StateStore& store, Fs& fs, const std::string& path);

}  // namespace popsync::sync
