// SPDX-License-Identifier: MIT
#include "observe/start_patience.h"

#include <sys/resource.h>

#include <condition_variable>
#include <mutex>
#include <system_error>

#include "base/log.h"
#include "observe/service_manager.h"

namespace popsync::observe {
namespace {

std::chrono::microseconds processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto in_microseconds = [](const timeval& time) { return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec); };
  return in_microseconds(usage.ru_utime) + in_microseconds(usage.ru_stime);
}

}  // namespace

StartPatience::StartPatience(std::chrono::milliseconds every) {
  try {
    thread_ = std::jthread([every](const std::stop_token& stop) { work(stop, every); });
  } catch (const std::system_error& error) {
    log_debug("", std::string("nobody asks the service manager for patience: ") + error.what());
  }
}

StartPatience::~StartPatience() = default;

void StartPatience::work(const std::stop_token& stop, std::chrono::milliseconds every) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  auto before = processor_time();
  while (!never.wait_for(lock, stop, every, [&] { return stop.stop_requested(); })) {
    const auto now = processor_time();
    if (now - before >= kStartProgress) notify_extend_start(kStartExtension);
    before = now;
  }
}

}  // namespace popsync::observe
