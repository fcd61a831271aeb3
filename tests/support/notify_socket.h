// SPDX-License-Identifier: MIT
// The service manager's end of sd_notify(3): a datagram socket that collects what a daemon tells it.
#pragma once

#include <chrono>
#include <string>

#include "base/unique_fd.h"

namespace popsync::test {

class NotifySocket {
 public:
  // Binds it at `path` (NOTIFY_SOCKET). Throws std::runtime_error.
  explicit NotifySocket(std::string path);

  [[nodiscard]] const std::string& path() const { return path_; }
  // Until a datagram with a line that begins so has come that no earlier call has taken; datagrams before it are dropped. False if none came.
  bool wait_for(const std::string& line_start, std::chrono::milliseconds patience = std::chrono::seconds(30));

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace popsync::test
