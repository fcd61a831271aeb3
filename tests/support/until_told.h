// SPDX-License-Identifier: MIT
// For the small server programs: wait until SIGTERM or SIGINT, or until whoever started us goes away (stdin, if it is a pipe or a socket, ends;
// /dev/null and terminals say nothing).
#pragma once

#include "base/unique_fd.h"

namespace popsync::test {

class UntilTold {
 public:
  // Before the first thread is made: the signals are blocked from here on.
  UntilTold();
  void wait() const;

 private:
  UniqueFd signals_;
};

}  // namespace popsync::test
