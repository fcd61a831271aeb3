// SPDX-License-Identifier: MIT
// The locks of an mbox, in the order in which others take them too: a write lock by fcntl over the whole file (an open file description lock, which
// conflicts with everybody's classic ones and with our other threads), then the dot lock FILE.lock by liblockfile, then flock if asked for. Nothing
// here waits: whoever does not get all of them lets go of all and comes back later, so no two programs wait for each other. After kill -9 the kernel
// releases the first and the last; the dot lock stays, holds our dead process-id and is taken over by that, or by its age of five minutes.
//
// liblockfile takes a path and no descriptor. It gets the one that was configured, and only while that leads to the very folder that is open.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/fs.h"

namespace popsync::delivery {

constexpr std::chrono::milliseconds kMboxLockWait{30'000};  // how long another program is waited for

struct MboxLockKinds {
  bool dot_lock = true;
  bool flock = false;
  bool operator==(const MboxLockKinds&) const = default;
};

// Whether FILE.lock can be made in the folder at all. Where it cannot, as in /var/mail for an ordinary user, fcntl alone has to do.
bool can_dot_lock(int folder);

class MboxLock {
 public:
  // Locks the open file `fd` at `path` (absolute), in the open `folder`. Empty if another holds one of the locks. `fd` must stay open as long as the
  // lock lives. Throws Error mailstore_unavailable where a lock cannot be had at all (a file system without locks, a folder that is at its path no
  // more). `fs` is told who waits for the file system, and must outlive the lock.
  static std::optional<MboxLock> try_take(int fd, int folder, const std::string& path, const MboxLockKinds& kinds, Fs& fs = real_fs());

  MboxLock(MboxLock&& other) noexcept;
  MboxLock& operator=(MboxLock&& other) noexcept;
  // Releases in reverse order.
  ~MboxLock();

 private:
  MboxLock(int fd, int folder, Fs& fs) : fd_(fd), folder_(folder), fs_(&fs) {}
  static std::optional<MboxLock> try_take_here(int fd, int folder, const std::string& path, const MboxLockKinds& kinds, Fs& fs);
  void release();

  int fd_;
  int folder_;
  Fs* fs_;
  std::string dot_lock_;  // its path, if held
  bool flock_ = false;
};

}  // namespace popsync::delivery
