// SPDX-License-Identifier: MIT
#include "secrets/terminal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "base/error.h"

namespace popsync::secrets {
namespace {

// A process has one controlling terminal, so there is one turn.
struct Turn {
  std::mutex mutex;  // guards `taken`
  std::condition_variable_any given_back;
  bool taken = false;
};

Turn& the_turn() {
  static Turn turn;
  return turn;
}

void give_back() {
  const std::lock_guard lock(the_turn().mutex);
  the_turn().taken = false;
  the_turn().given_back.notify_one();
}

// From the background this call would stop us by SIGTTOU, unless the signal is blocked.
void take_foreground(int terminal) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  ::tcsetpgrp(terminal, ::getpgrp());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

std::optional<Terminal> Terminal::acquire(const StopSignal& stop) {
  UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal.valid()) return std::nullopt;
  std::unique_lock lock(the_turn().mutex);
  if (!the_turn().given_back.wait(lock, stop.token(), [] { return !the_turn().taken; })) {
    throw Error(ErrorCode::interrupted, "stopped while waiting for the terminal");
  }
  // Only now: while another command has it, the foreground is not ours.
  if (::tcgetpgrp(terminal.get()) != ::getpgrp()) return std::nullopt;
  the_turn().taken = true;
  return Terminal(std::move(terminal));
}

Terminal::~Terminal() {
  if (!terminal_.valid()) return;
  take_foreground(terminal_.get());
  give_back();
}

}  // namespace popsync::secrets
