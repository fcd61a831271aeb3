// SPDX-License-Identifier: MIT
// A std::stop_token that poll(2) can wait for: the descriptor becomes readable, and stays so, once stop is requested.
#pragma once

#include <functional>
#include <stop_token>

#include "base/unique_fd.h"

namespace popsync {

class StopSignal {
 public:
  explicit StopSignal(std::stop_token token);
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  [[nodiscard]] bool stopped() const { return token_.stop_requested(); }
  [[nodiscard]] int fd() const { return event_.get(); }
  [[nodiscard]] const std::stop_token& token() const { return token_; }

 private:
  std::stop_token token_;
  UniqueFd event_;
  std::stop_callback<std::function<void()>> callback_;
};

}  // namespace popsync
