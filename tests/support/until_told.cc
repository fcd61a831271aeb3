// SPDX-License-Identifier: MIT
#include "support/until_told.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace popsync::test {

UntilTold::UntilTold() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
}

void UntilTold::wait() const {
  struct stat input {};
  const bool has_parent_line = ::fstat(STDIN_FILENO, &input) == 0 && (S_ISFIFO(input.st_mode) || S_ISSOCK(input.st_mode));
  pollfd waiting[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                      {.fd = has_parent_line ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
  while (true) {
    if (::poll(waiting, 2, -1) < 0) continue;
    if (waiting[0].revents != 0) return;
    char ignored[512];
    if (waiting[1].revents != 0 && ::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
  }
}

}  // namespace popsync::test
