// SPDX-License-Identifier: MIT
// Turns SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 into calls on one thread, where locks may be taken and memory allocated. It sleeps until a
// signal comes.
//
// The signals must be blocked in every thread, or the kernel may give them to one where they kill the process: call block_signals() in main() before
// any thread starts, threads inherit it. Children inherit it too, beyond exec: who starts a program resets the mask.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "base/unique_fd.h"

namespace popsync::observe {

// What ends the process where it does not end by itself: a thread that a dead disk holds in the kernel would be waited for without end.
struct LastResort {
  std::chrono::milliseconds patience{};  // from the first SIGTERM or SIGINT on; a second one ends it
  std::function<void()> leave = {};      // on the signal thread; does not come back
};

class SignalThread {
 public:
  // Throws Error bug if the kernel refuses.
  static void block_signals();

  // `handler` gets the signal's number, one call at a time. What it throws is logged, and the next signal reaches it all the same. Several of one
  // signal that come faster than they are handled are one call. Throws Error io_error when no descriptor or thread is left.
  explicit SignalThread(std::function<void(int signal)> handler, LastResort last_resort = {});
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;
  // Waits for a handler under way. Signals stay blocked.
  ~SignalThread();

 private:
  void work() const;
  void call_handler(int signal) const;

  std::function<void(int)> handler_;
  LastResort last_resort_;
  UniqueFd signals_;
  UniqueFd end_;
  std::jthread thread_;
};

}  // namespace popsync::observe
