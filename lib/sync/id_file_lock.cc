// SPDX-License-Identifier: MIT
#include "sync/id_file_lock.h"

namespace popsync::sync {

// Device and inode, so that a link to a Maildir is that Maildir. They need not last: two who meet do so before the machine is started anew.
std::optional<state::FileLock> lock_id_file(const state::StateStore& store, Fs& fs, const std::string& path) {
  const auto root = fs.open_root(path);
  if (!root) return std::nullopt;
  const FileStat found = fs.stat_open(root->get());
  return state::FileLock::take(store.directory() + "/locks/maildir-" + std::to_string(found.device) + "-" + std::to_string(found.inode));
}

}  // namespace popsync::sync
