// SPDX-License-Identifier: MIT
#include "output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

namespace popsync {
namespace {

bool reader_has_gone() {
  pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

}  // namespace

void print_error(const Error& error) {
  std::cerr << "popsync: " << error.message() << '\n';
  if (!error.hint().empty()) std::cerr << "  " << error.hint() << '\n';
}

int flush_output(int status) {
  errno = 0;
  std::cout.flush();
  const int flushed = std::fflush(stdout);  // std::cout does not try once a write has failed; this one tells why
  const std::string reason = errno == 0 ? "" : ": " + errno_text(errno);
  if (std::cout.good() && flushed == 0) return status;
  if (!reader_has_gone()) print_error(Error(ErrorCode::io_error, "standard output cannot be written" + reason, "what was printed is not complete"));
  return worse_exit_status(status, exit_status(ErrorCode::io_error));
}

void leave_process(int status) { std::_Exit(flush_output(status)); }

}  // namespace popsync
