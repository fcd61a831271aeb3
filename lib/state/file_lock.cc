// SPDX-License-Identifier: MIT
#include "state/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"

namespace popsync::state {
namespace {

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  if (errno == ENOSPC || errno == EDQUOT) {
    throw Error(ErrorCode::disk_full, "cannot " + what + " " + escaped(path) + ": " + errno_text(errno),
                "popsync goes on by itself once there is room");
  }
  throw Error(ErrorCode::state_unavailable, "cannot " + what + " " + escaped(path) + ": " + errno_text(errno),
              "the state directory must be on a local file system and belong to the user that runs popsync");
}

constexpr std::size_t kTextOctetsMax = 8192;  // a note may hold a path

std::string text_of(int fd) {
  std::string text(kTextOctetsMax, '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

}  // namespace

UniqueFd open_lock_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) fail("open", path);
  return fd;
}

bool set_lock(int fd, struct flock lock, const std::string& path) {
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  fail("lock", path);
}

void write_holder(int fd, const std::string& command) {
  const std::string line = std::to_string(::getpid()) + " " + std::to_string(to_unix_seconds(system_clock().wall())) + " " + command + "\n";
  // Only told to people; the lock is the lock.
  if (::ftruncate(fd, 0) == 0) (void)!::pwrite(fd, line.data(), line.size(), 0);
}

std::optional<FileLock> FileLock::try_take(const std::string& path, const std::string& command) {
  UniqueFd fd = open_lock_file(path);
  if (!set_lock(fd.get(), whole_file(F_WRLCK), path)) return std::nullopt;
  if (!command.empty()) write_holder(fd.get(), command);
  return FileLock(std::move(fd));
}

FileLock FileLock::take(const std::string& path) {
  constexpr std::chrono::milliseconds kRetryEvery{5};
  for (std::chrono::milliseconds waited{0}; waited < kShortLockWait; waited += kRetryEvery) {
    if (auto lock = try_take(path, "")) return std::move(*lock);
    std::this_thread::sleep_for(kRetryEvery);
  }
  throw Error(ErrorCode::lock_held, escaped(path) + " is locked by another popsync for more than 30 s");
}

void FileLock::note(std::string_view line) const {
  const std::string text = text_of(fd_.get());
  const auto end = text.find('\n');
  if (end == std::string::npos) return;
  const std::string both = text.substr(0, end + 1) + std::string(line) + "\n";
  if (::pwrite(fd_.get(), both.data(), both.size(), 0) >= 0) (void)!::ftruncate(fd_.get(), static_cast<off_t>(both.size()));
}

std::optional<LockHolder> lock_holder(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return std::nullopt;
  struct flock lock = whole_file(F_RDLCK);
  if (::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  std::istringstream words(text_of(fd.get()));
  LockHolder holder;
  std::int64_t since = 0;
  words >> holder.pid >> since >> std::ws;
  std::getline(words, holder.command);
  std::getline(words, holder.note);
  holder.since = from_unix_seconds(since);
  return holder;
}

std::string describe(const LockHolder& holder) {
  return "held by " + escaped(holder.command) + ", pid " + std::to_string(holder.pid) + ", since " + rfc3339_utc(holder.since);
}

}  // namespace popsync::state
