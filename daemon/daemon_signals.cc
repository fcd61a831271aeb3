// SPDX-License-Identifier: MIT
#include "daemon_signals.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "observe/service_manager.h"

namespace popsync {
namespace {

// Told to end, and ended: what else it may be that held it up.
[[noreturn]] void leave() {
  log_warning("", "the daemon does not come to its end; leaving it as a kill would");
  std::_Exit(0);
}

}  // namespace

DaemonSignals::DaemonSignals() : signals_([this](int signal) { on_signal(signal); }, {.patience = kStopPatience, .leave = leave}) {}

DaemonSignals::~DaemonSignals() { end_errands(); }

void DaemonSignals::serve(std::function<void(int signal)> errand) {
  const std::lock_guard lock(mutex_);
  errand_ = std::move(errand);
  errand_thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void DaemonSignals::end_errands() {
  std::jthread ending;
  {
    const std::lock_guard lock(mutex_);
    ending = std::move(errand_thread_);
  }
}

void DaemonSignals::on_signal(int signal) {
  const bool end = signal == SIGTERM || signal == SIGINT;
  bool serving = false;
  {
    const std::lock_guard lock(mutex_);
    serving = static_cast<bool>(errand_);
    // Several of one kind that wait are one.
    if (!end && std::ranges::count(errands_, signal) == 0) errands_.push_back(signal);
  }
  changed_.notify_all();
  if (!end) return;
  observe::notify_stopping();
  if (!serving) std::_Exit(0);
  stop_.request_stop();
}

void DaemonSignals::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !errands_.empty(); })) {
    const int signal = errands_.front();
    errands_.pop_front();
    lock.unlock();
    try {
      errand_(signal);
    } catch (...) {
      log_thrown("", "a signal could not be dealt with");
    }
    lock.lock();
  }
}

}  // namespace popsync
