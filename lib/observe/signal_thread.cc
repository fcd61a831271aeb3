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

SignalThread::SignalThread(std::function<void(int signal)> handler)
    : handler_(std::move(handler)), signals_(open_signals()), end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!signals_.valid() || !end_.valid()) throw Error(ErrorCode::io_error, "cannot wait for signals: " + errno_text(errno));
  try {
    thread_ = std::jthread([this] { work(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::io_error, std::string("cannot start a thread: ") + error.what());
  }
}

SignalThread::~SignalThread() { ::eventfd_write(end_.get(), 1); }

void SignalThread::work() const {
  std::array<pollfd, 2> both = {pollfd{signals_.get(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
  while (true) {
    if (::poll(both.data(), both.size(), -1) < 0) {
      POPSYNC_ASSERT(errno == EINTR);
      continue;
    }
    if (both[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) handler_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace popsync::observe
