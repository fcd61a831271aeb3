// SPDX-License-Identifier: MIT
#include "observe/signal_thread.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace popsync::observe {
namespace {

sigset_t our_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) ::sigaddset(&set, signal);
  return set;
}

UniqueFd open_signals() {
  const sigset_t set = our_signals();
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

void SignalThread::block_signals() {
  const sigset_t set = our_signals();
  const int outcome = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (outcome != 0) throw Error(ErrorCode::bug, "cannot block signals: " + errno_text(outcome));
}

SignalThread::SignalThread(std::function<void(int signal)> handler, LastResort last_resort)
    : handler_(std::move(handler)), last_resort_(std::move(last_resort)), signals_(open_signals()), end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!signals_.valid() || !end_.valid()) throw Error(ErrorCode::io_error, "cannot wait for signals: " + errno_text(errno));
  try {
    thread_ = std::jthread([this] { work(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::io_error, std::string("cannot start a thread: ") + error.what());
  }
}

SignalThread::~SignalThread() { ::eventfd_write(end_.get(), 1); }

void SignalThread::work() const {
  using Clock = std::chrono::steady_clock;
  std::array<pollfd, 2> both = {pollfd{signals_.get(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
  std::optional<Clock::time_point> deadline;  // once we were told to end
  while (true) {
    int timeout = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      if (left.count() <= 0) return last_resort_.leave();
      timeout = static_cast<int>(left.count());
    }
    if (::poll(both.data(), both.size(), timeout) < 0) {
      POPSYNC_ASSERT(errno == EINTR);
      continue;
    }
    if (both[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    const auto signal = static_cast<int>(info.ssi_signo);
    call_handler(signal);
    if (!last_resort_.leave || (signal != SIGTERM && signal != SIGINT)) continue;
    deadline = deadline ? Clock::now() : Clock::now() + last_resort_.patience;
  }
}

// An exception that left this thread would end the process, and every session with it.
void SignalThread::call_handler(int signal) const {
  try {
    handler_(signal);
  } catch (...) {
    log_thrown("", "a signal could not be dealt with");
  }
}

}  // namespace popsync::observe
