// SPDX-License-Identifier: MIT
// While the program starts, tells the service manager to go on waiting: the check of a large state takes longer than TimeoutStartSec=. Only as long
// as the process gets on, by the processor time it uses. Where a disk does not answer, nothing is told, and the service manager ends the start.
#pragma once

#include <chrono>
#include <thread>

namespace popsync::observe {

constexpr std::chrono::seconds kStartExtension{60};                // what each message asks for
constexpr std::chrono::milliseconds kStartExtensionEvery{10'000};  // well within, and within the 90 s of the start itself
constexpr std::chrono::milliseconds kStartProgress{10};            // of processor time between two looks

class StartPatience {
 public:
  explicit StartPatience(std::chrono::milliseconds every = kStartExtensionEvery);
  StartPatience(const StartPatience&) = delete;
  StartPatience& operator=(const StartPatience&) = delete;
  // The start is over.
  ~StartPatience();

 private:
  static void work(const std::stop_token& stop, std::chrono::milliseconds every);

  std::jthread thread_;
};

}  // namespace popsync::observe
