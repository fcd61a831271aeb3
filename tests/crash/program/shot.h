// SPDX-License-Identifier: MIT
// A signal that one thread aims at the program and another one, a server's, sends; a pidfd, since the program may have ended meanwhile and its number
// be another's.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>

#include "base/unique_fd.h"

namespace popsync::test {

class Shot {
 public:
  explicit Shot(int signal) : signal_(signal) {}

  void aim(pid_t pid) {
    handle_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    aimed_ = true;
    aimed_.notify_all();
  }
  void fire() {
    aimed_.wait(false);
    fired_ = true;  // first: the program's end may be seen before the next line returns
    ::syscall(SYS_pidfd_send_signal, handle_.get(), signal_, nullptr, 0);
  }
  [[nodiscard]] bool fired() const { return fired_; }

 private:
  int signal_;
  UniqueFd handle_;
  std::atomic<bool> aimed_{false};
  std::atomic<bool> fired_{false};
};

}  // namespace popsync::test
