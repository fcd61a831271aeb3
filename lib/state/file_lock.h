// SPDX-License-Identifier: MIT
// An exclusive lock on a file, held by an open file description (F_OFD_SETLK): it goes with the process, however that ends, and excludes threads of
// one process that open the file anew. The file's text says who holds it; the file itself stays.
#pragma once

#include <fcntl.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace popsync::state {

struct LockHolder {
  int pid = 0;
  std::string command;  // "popsync run"
  WallTime since{};
  std::string note = {};  // what it tells of itself besides; empty mostly
};

constexpr std::chrono::seconds kShortLockWait{30};  // a commit on a slow disk takes long; more is a hanging process

class FileLock {
 public:
  // Takes the lock at once, or empty if another holds it. With `command` the holder's line is written. Throws Error state_unavailable if the file
  // cannot be opened or locked (NFS without locks), disk_full if there is no room for it.
  static std::optional<FileLock> try_take(const std::string& path, const std::string& command);

  // Waits for it, at most kShortLockWait; Error lock_held then. For locks that are held for moments only.
  static FileLock take(const std::string& path);

  // The second line of the file, of a lock that was taken with a command: told to people, so trouble with it is none. Without line ends.
  void note(std::string_view line) const;

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// What a lock of another shape on such a file is made of. Both throw as try_take() does; set_lock() gives false if another holds a lock in its way.
UniqueFd open_lock_file(const std::string& path);
bool set_lock(int fd, struct flock lock, const std::string& path);
void write_holder(int fd, const std::string& command);

// Who holds the lock now; empty if nobody does. Takes nothing that another could stumble over.
std::optional<LockHolder> lock_holder(const std::string& path);

// "held by popsync run, pid 42, since 2026-01-31T08:30:00Z"
std::string describe(const LockHolder& holder);

}  // namespace popsync::state
