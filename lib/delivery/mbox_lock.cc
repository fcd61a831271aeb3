// SPDX-License-Identifier: MIT
#include "delivery/mbox_lock.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <lockfile.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/folders.h"
#include "base/log.h"

namespace popsync::delivery {
namespace {

using FolderId = std::pair<dev_t, ino_t>;

FolderId id_of(const struct stat& found) { return {found.st_dev, found.st_ino}; }

// liblockfile names its temporary file by folder, process and second: two threads must not make a lock in one folder at once. In another folder they
// may: one that does not answer holds up nobody elsewhere.
std::shared_ptr<std::mutex> one_at_a_time(const FolderId& folder) {
  static std::mutex guard;  // guards the map
  static std::map<FolderId, std::weak_ptr<std::mutex>> folders;
  const std::lock_guard lock(guard);
  std::erase_if(folders, [](const auto& each) { return each.second.expired(); });
  std::weak_ptr<std::mutex>& known = folders[folder];
  auto mutex = known.lock();
  if (!mutex) known = mutex = std::make_shared<std::mutex>();
  return mutex;
}

bool take_fcntl(int fd, const std::string& path) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  throw Error(ErrorCode::mailstore_unavailable, "cannot lock " + escaped(path) + ": " + errno_text(errno),
              "an mbox must be on a file system with locks");
}

// A lock beside another file of that name would keep nobody out of this one.
FolderId need_same_folder(int folder, const std::string& path) {
  struct stat opened {};
  struct stat there {};
  const bool found = ::fstat(folder, &opened) == 0 && ::stat(folder_of(path).c_str(), &there) == 0;
  if (!found || id_of(opened) != id_of(there)) {
    throw Error(ErrorCode::mailstore_unavailable, "the folder of " + escaped(path) + " was moved or replaced while it was in use",
                "the next sync looks again");
  }
  return id_of(opened);
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
  const auto mutex = one_at_a_time(need_same_folder(folder, path));
  const std::lock_guard lock(*mutex);
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

std::optional<MboxLock> MboxLock::try_take(int fd, int folder, const std::string& path, const MboxLockKinds& kinds, Fs& fs) {
  std::optional<MboxLock> taken;
  fs.beside(fd, [&] { taken = try_take_here(fd, folder, path, kinds, fs); });
  return taken;
}

std::optional<MboxLock> MboxLock::try_take_here(int fd, int folder, const std::string& path, const MboxLockKinds& kinds, Fs& fs) {
  if (!take_fcntl(fd, path)) return std::nullopt;
  MboxLock lock(fd, folder, fs);
  if (kinds.dot_lock && can_dot_lock(folder)) {
    if (!take_dot_lock(path + ".lock", folder)) return std::nullopt;
    lock.dot_lock_ = path + ".lock";
  }
  if (kinds.flock) {
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
    lock.flock_ = true;
  }
  return lock;
}

MboxLock::MboxLock(MboxLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      folder_(other.folder_),
      fs_(other.fs_),
      dot_lock_(std::exchange(other.dot_lock_, {})),
      flock_(std::exchange(other.flock_, false)) {}

MboxLock& MboxLock::operator=(MboxLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(folder_, other.folder_);
  std::swap(fs_, other.fs_);
  std::swap(dot_lock_, other.dot_lock_);
  std::swap(flock_, other.flock_);
  return *this;
}

MboxLock::~MboxLock() {
  if (fd_ >= 0) fs_->beside(fd_, [this] { release(); });
}

void MboxLock::release() {
  if (flock_) (void)::flock(fd_, LOCK_UN);
  // In the folder that it was made in, wherever that is by now.
  if (!dot_lock_.empty() && ::unlinkat(folder_, last_part(dot_lock_).c_str(), 0) != 0 && errno != ENOENT) {
    log_warning("", "cannot remove the lock " + escaped(dot_lock_) + ": " + errno_text(errno));
  }
  struct flock whole {};
  whole.l_type = F_UNLCK;
  whole.l_whence = SEEK_SET;
  (void)::fcntl(fd_, F_OFD_SETLK, &whole);
}

}  // namespace popsync::delivery
