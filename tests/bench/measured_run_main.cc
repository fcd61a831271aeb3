// SPDX-License-Identifier: MIT
// measured_run RESULT SECONDS PROGRAM [ARGUMENT...]: runs PROGRAM and writes to RESULT what it cost, as one line: seconds, processor seconds (user
// and system, waited-for children included), peak resident KiB of the largest process, exit status (128 + signal if killed). After SECONDS the whole
// process group is killed. A program of its own because a child's peak begins with its parent's, and this parent is small.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

double seconds_of(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

// Interrupts the wait, no more.
void wake(int /*signal*/) {}

void wake_at(int signal) {
  struct sigaction action {};
  action.sa_handler = wake;
  ::sigaction(signal, &action, nullptr);
}

// False: still running after `patience`, or we were told to end.
bool ends_within(pid_t child, std::chrono::milliseconds patience) {
  pollfd ended = {.fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0)), .events = POLLIN, .revents = 0};
  const int ready = ::poll(&ended, 1, static_cast<int>(patience.count()));
  ::close(ended.fd);
  return ready > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child < 0) return 71;
  if (child == 0) {
    ::setpgid(0, 0);
    ::execvp(argv[3], argv + 3);
    ::_exit(127);
  }
  ::setpgid(child, child);
  wake_at(SIGINT);
  wake_at(SIGTERM);
  if (!ends_within(child, std::chrono::milliseconds(std::strtol(argv[2], nullptr, 10) * 1000))) ::kill(-child, SIGKILL);
  int status = 0;
  rusage usage{};
  if (::wait4(child, &status, 0, &usage) != child) return 71;
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  ::kill(-child, SIGKILL);  // what it left behind
  FILE* result = std::fopen(argv[1], "w");
  if (result == nullptr) return 73;
  std::fprintf(result, "%.6f %.6f %ld %d\n", spent.count(), seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime), usage.ru_maxrss,
               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return std::fclose(result) == 0 ? 0 : 74;
}
