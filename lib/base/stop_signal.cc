// SPDX-License-Identifier: MIT
#include "base/stop_signal.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace popsync {
namespace {

UniqueFd make_event() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) throw Error(ErrorCode::io_error, "cannot create an event descriptor: " + errno_text(errno));
  return event;
}

}  // namespace

StopSignal::StopSignal(std::stop_token token)
    : token_(std::move(token)), event_(make_event()), callback_(token_, [fd = event_.get()] { ::eventfd_write(fd, 1); }) {}

}  // namespace popsync
