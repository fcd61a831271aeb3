// SPDX-License-Identifier: MIT
// The daemon's signals, from before the first thing that can hang to its end. SIGTERM and SIGINT are always heard, whatever a dead disk holds: they
// ask everybody to stop, and should the process not come to its end it is left. That is as safe as SIGKILL, which every line of the program must
// bear.
//
// The other signals are errands. They read files, which may hang too, so they run on a thread of their own, one after the other.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "observe/signal_thread.h"

namespace popsync {

// Behind the scheduler's own grace for sessions.
constexpr std::chrono::seconds kStopPatience{30};

class DaemonSignals {
 public:
  // The signals must be blocked already.
  DaemonSignals();
  DaemonSignals(const DaemonSignals&) = delete;
  DaemonSignals& operator=(const DaemonSignals&) = delete;
  // Waits for an errand under way.
  ~DaemonSignals();

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
  // The daemon runs: from now on `errand` gets the other signals, those that have come already first, and a stop is given time. Before, there is
  // nothing to wait for, and a stop leaves the process at once.
  void serve(std::function<void(int signal)> errand);
  // No more errands; waits for one under way.
  void end_errands();

 private:
  void on_signal(int signal);
  void work(const std::stop_token& stop);

  std::stop_source stop_;
  std::mutex mutex_;  // guards all below
  std::condition_variable_any changed_;
  std::deque<int> errands_;
  std::function<void(int)> errand_;
  std::jthread errand_thread_;
  observe::SignalThread signals_;  // last: it uses all above
};

}  // namespace popsync
