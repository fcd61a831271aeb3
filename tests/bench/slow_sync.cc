// SPDX-License-Identifier: MIT
// Preloaded into a program under measurement: fsync, fdatasync and syncfs take BENCH_SYNC_MS milliseconds longer, as on a disk that is no tmpfs.
// Calls of several threads wait side by side, as the queue of a disk allows. Only these three calls are modelled: nothing measured here may sync in
// another way.
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

long delay_ms() {
  static const long delay = [] {
    const char* text = ::getenv("BENCH_SYNC_MS");
    return text == nullptr ? 0L : std::strtol(text, nullptr, 10);
  }();
  return delay;
}

int delayed(const char* name, int fd) {
  timespec left{.tv_sec = delay_ms() / 1000, .tv_nsec = delay_ms() % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, name));
  return real(fd);
}

}  // namespace

extern "C" {
int fsync(int fd) { return delayed("fsync", fd); }
int fdatasync(int fd) { return delayed("fdatasync", fd); }
int syncfs(int fd) noexcept { return delayed("syncfs", fd); }
}
