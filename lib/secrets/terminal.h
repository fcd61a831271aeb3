// SPDX-License-Identifier: MIT
// The controlling terminal, lent to one password command at a time. A command in a process group of its own could neither prompt on the terminal nor
// switch off its echo (SIGTTIN, SIGTTOU), so its group becomes the terminal's foreground group until it ends.
#pragma once

#include <optional>
#include <utility>

#include "base/stop_signal.h"
#include "base/unique_fd.h"

namespace popsync::secrets {

class Terminal {
 public:
  // Empty when there is no terminal, or when we are in its background and could not prompt: the daemon, a job in a pipeline of cron. Waits while
  // another thread's command has the terminal; throws Error interrupted when `stop` fires meanwhile.
  static std::optional<Terminal> acquire(const StopSignal& stop);
  Terminal(Terminal&&) = default;
  Terminal& operator=(Terminal&&) = delete;
  // Takes the foreground back.
  ~Terminal();

  [[nodiscard]] int fd() const { return terminal_.get(); }

 private:
  explicit Terminal(UniqueFd terminal) : terminal_(std::move(terminal)) {}
  UniqueFd terminal_;
};

}  // namespace popsync::secrets
