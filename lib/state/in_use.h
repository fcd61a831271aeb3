// SPDX-License-Identifier: MIT
// STATE/in-use: who has the state open. The tables must not change under a program that knows only the old ones, so whoever has the state open holds
// a lock on this file, shared, and whoever changes the tables holds all of it alone.
//
// Each process locks the octet at the offset of its own number (F_OFD_SETLK): the kernel can then say which process is in the way. A lock goes with
// its process, however that ends, so the dead are never in the way and nothing has to be cleaned up. 0.1.0 knows nothing of this file: its daemon
// holds STATE/daemon.lock, and its other commands hold the lock of the account that they work on.
#pragma once

#include <fcntl.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace popsync::state {

class InUse {
 public:
  // Waits up to `patience` for a process that changes the tables; Error lock_held then.
  static InUse share(const std::string& directory, std::chrono::milliseconds patience);

  // Empty: the state is ours alone, until share_again(). Else who is in the way ("another popsync, pid 42"), and this holds nothing: of two processes
  // that both want to be alone one must get it. `holds_daemon_lock`: STATE/daemon.lock is held by the caller itself.
  std::optional<std::string> try_alone(bool holds_daemon_lock);
  // From alone to shared; nobody comes in between.
  void share_again();

 private:
  explicit InUse(const std::string& directory);
  // False if another process is in the way.
  bool set(struct flock lock) const;  // NOLINT(modernize-use-nodiscard): letting go always succeeds
  [[nodiscard]] std::optional<std::string> older_program(bool holds_daemon_lock) const;

  std::string directory_;
  std::string path_;
  UniqueFd fd_;
};

}  // namespace popsync::state
