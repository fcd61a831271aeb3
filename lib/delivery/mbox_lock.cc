// SPDX-License-Identifier: MIT
#include "delivery/mbox_lock.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <lockfile.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"

namespace popsync::delivery {
namespace {

// liblockfile names its temporary file by process and second: two threads must not be in there at once.
std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

std::string path_behind(int fd) {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return length < 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(length));
}

bool take_fcntl(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  throw Error(ErrorCode::mailstore_unavailable, "cannot lock " + escaped(path_behind(fd)) + ": " + errno_text(errno),
              "an mbox must be on a file system with locks");
}

// A process-id in a lock from another machine means nothing here: on a network only the age counts.
bool on_network(int folder) {
  constexpr std::array<std::uint32_t, 3> kNetworks = {NFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC};
  struct statfs found {};
  if (::fstatfs(folder, &found) != 0) return true;
  return std::ranges::count(kNetworks, static_cast<std::uint32_t>(found.f_type)) > 0;
}

bool make_dot_lock(const std::string& path, int flags) {
  switch (const int outcome = lockfile_create(path.c_str(), 0, flags)) {
    case L_SUCCESS: return true;
    case L_MAXTRYS: return false;
    case L_TMPWRITE: throw Error(ErrorCode::disk_full, "cannot write " + escaped(path), "free some space");
    default:
      throw Error(ErrorCode::mailstore_unavailable, "cannot make the lock " + escaped(path) + " (liblockfile says " + std::to_string(outcome) + ")",
                  "is its name too long, or is it left by another user? mbox_locks = \"fcntl\" does without it");
  }
}

bool take_dot_lock(const std::string& path, int folder) {
  const std::lock_guard lock(one_at_a_time());
  const int flags = on_network(folder) ? 0 : L_PID;
  if (make_dot_lock(path, flags)) return true;
  // A living process may have got the dead holder's id, in a container always the same: the rule of five minutes holds besides. Every other program
  // goes by it as well.
  if (flags == 0 || lockfile_check(path.c_str(), 0) == 0) return false;
  log_warning("", "the lock " + escaped(path) + " is older than five minutes; it is taken over");
  (void)lockfile_remove(path.c_str());
  return make_dot_lock(path, flags);
}

}  // namespace

bool can_dot_lock(int folder) { return ::faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) == 0; }

std::optional<MboxLock> MboxLock::try_take(int fd, int folder, const std::string& name, const MboxLockKinds& kinds) {
  if (!take_fcntl(fd)) return std::nullopt;
  MboxLock lock(fd);
  if (kinds.dot_lock && can_dot_lock(folder)) {
    const std::string path = path_behind(folder) + "/" + name + ".lock";
    if (!take_dot_lock(path, folder)) return std::nullopt;
    lock.dot_lock_ = path;
  }
  if (kinds.flock) {
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
    lock.flock_ = true;
  }
  return lock;
}

MboxLock::MboxLock(MboxLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), dot_lock_(std::exchange(other.dot_lock_, {})), flock_(std::exchange(other.flock_, false)) {}

MboxLock::~MboxLock() {
  if (fd_ < 0) return;
  if (flock_) (void)::flock(fd_, LOCK_UN);
  if (!dot_lock_.empty()) {
    const std::lock_guard lock(one_at_a_time());
    if (lockfile_remove(dot_lock_.c_str()) != 0) log_warning("", "cannot remove the lock " + escaped(dot_lock_) + ": " + errno_text(errno));
  }
  struct flock whole {};
  whole.l_type = F_UNLCK;
  whole.l_whence = SEEK_SET;
  (void)::fcntl(fd_, F_OFD_SETLK, &whole);
}

}  // namespace popsync::delivery
