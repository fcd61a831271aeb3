// SPDX-License-Identifier: MIT
#include "schedule/alarm.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"

namespace popsync::schedule {

Alarm::Alarm() : timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!timer_.valid() || !event_.valid()) throw Error(ErrorCode::io_error, "cannot create a timer: " + errno_text(errno));
}

void Alarm::wait(std::optional<std::chrono::nanoseconds> delay) {
  itimerspec setting{};  // all zero disarms
  if (delay) {
    const auto positive = std::max(*delay, std::chrono::nanoseconds(1));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(positive);
    setting.it_value.tv_sec = seconds.count();
    setting.it_value.tv_nsec = (positive - seconds).count();
  }
  // Setting the timer also forgets an expiry nobody read.
  POPSYNC_ASSERT(::timerfd_settime(timer_.get(), 0, &setting, nullptr) == 0);
  std::array<pollfd, 2> both = {pollfd{timer_.get(), POLLIN, 0}, pollfd{event_.get(), POLLIN, 0}};
  while (::poll(both.data(), both.size(), -1) < 0) POPSYNC_ASSERT(errno == EINTR);
  eventfd_t ignored = 0;
  ::eventfd_read(event_.get(), &ignored);  // fails if it was the timer; then there is nothing to reset
}

void Alarm::wake() { ::eventfd_write(event_.get(), 1); }

}  // namespace popsync::schedule
