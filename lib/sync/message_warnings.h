// SPDX-License-Identifier: MIT
// Warnings about single messages, bounded: a server can make one for each of a million messages, and a log full of them hides all others. The first
// of each kind are told one by one, the rest in one line with their number. One session, one thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace popsync::sync {

enum class MessageTrouble { too_big, tried, shorter, changed, undeletable, damaged, altered };

class MessageWarnings {
 public:
  static constexpr std::size_t kToldMax = 20;  // of each kind: what somebody reads, and enough to see what they have in common

  explicit MessageWarnings(std::string account) : account_(std::move(account)) {}

  // Counts one more. False: it is not told by itself.
  bool admits(MessageTrouble kind) { return ++counts_.at(static_cast<std::size_t>(kind)) <= kToldMax; }
  // A line for each kind of which there were more; counts from 0 again.
  void tell_rest();

 private:
  std::string account_;
  std::array<std::size_t, 7> counts_{};
};

}  // namespace popsync::sync
