// SPDX-License-Identifier: MIT
#include "observe/service_manager.h"

#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"

namespace popsync::observe {
namespace {

void send(const std::string& assignments) {
  const int outcome = ::sd_notify(0, assignments.c_str());
  if (outcome < 0) log_warning("", "cannot reach the service manager: " + errno_text(-outcome));
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace

bool running_under_systemd() {
  // INVOCATION_ID would not do: every process below a unit inherits it. Older systemd than 248 does not tell the process, but has the socket.
  return variable("SYSTEMD_EXEC_PID") == std::to_string(::getpid()) || !variable("NOTIFY_SOCKET").empty();
}

bool stderr_is_journal() {
  const std::string_view stream = variable("JOURNAL_STREAM");
  struct stat status {};
  if (stream.empty() || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

void notify_ready() { send("READY=1"); }

void notify_extend_start(std::chrono::seconds by) { send("EXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds(by).count())); }

void notify_reloading() {
  // Type=notify-reload wants the time, to tell the answer to this SIGHUP from that to an earlier one.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1'000));
}

void notify_stopping() { send("STOPPING=1"); }

// A line end in the text would start another assignment.
void notify_status(std::string_view line) { send("STATUS=" + escaped(line)); }

void notify_watchdog() { send("WATCHDOG=1"); }

std::optional<std::chrono::microseconds> watchdog_period() {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(0, &limit) <= 0) return std::nullopt;
  return std::chrono::microseconds(limit / 2);
}

}  // namespace popsync::observe
