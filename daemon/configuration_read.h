// SPDX-License-Identifier: MIT
// Which configuration the daemon works with, as it tells `popsync status` through its lock (STATE/daemon.lock): when it was read, and from what, so
// that a file which was changed after that is noticed.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "file_condition.h"
#include "state/file_lock.h"

namespace popsync {

struct ConfigurationRead {
  std::string file;       // the main one
  WallTime at{};          // when
  std::string condition;  // of all its files at that time
  bool service = false;   // read by a process that the service manager started
};

// To be asked before the files are read: what changes meanwhile is a change.
ConfigurationRead configuration_now(const std::string& main_file);

void tell_configuration(const state::FileLock& daemon, const ConfigurationRead& read);
// Empty for a daemon of an older version.
std::optional<ConfigurationRead> configuration_of(const state::LockHolder& daemon);

// The newest change of its files after it was read; empty if there was none.
std::optional<FileChange> changed_since(const ConfigurationRead& read);

}  // namespace popsync
