// SPDX-License-Identifier: MIT
#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/journal.h"

namespace popsync {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ErrorCode::disk_full;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EACCES:
    case EPERM:
    case EROFS:
    case ENODEV:
    case ENXIO: return ErrorCode::mailstore_unavailable;
    default: return ErrorCode::io_error;
  }
}

// Messages name the path a descriptor leads to, so that the operator sees a folder and not a number.
// errno stays: it is an argument beside this call, and C++ leaves open which of them comes first.
std::string path_of(int dir) {
  const int number = errno;
  std::string link(PATH_MAX, '\0');
  const std::string proc = "/proc/self/fd/" + std::to_string(dir);
  const ssize_t length = ::readlink(proc.c_str(), link.data(), link.size());
  link.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  errno = number;
  return link;
}

std::string hint_of(int number) {
  switch (number) {
    case EACCES:
    case EPERM: return "popsync runs as user " + std::to_string(::geteuid()) + ", which needs read, write and search permission there (ls -ld)";
    case ENOTDIR: return "a file is in the way where the path needs a folder: move it away, or name another folder";
    case ENOSPC: return "free some space; popsync goes on by itself";
    case EDQUOT: return "the quota of this user is used up; popsync goes on by itself when there is room";
    case EFBIG: return "no file may grow beyond that here: raise ulimit -f, or LimitFSIZE= of the unit, and start popsync again";
    case EROFS: return "the file system is mounted read-only: has it had errors (dmesg)?";
    default: return "";
  }
}

[[noreturn]] void fail(int number, std::string_view verb, const std::string& path) {
  const std::string what = "cannot " + std::string(verb) + " " + escaped(path) + ": " + errno_text(number);
  if (number == EFBIG) throw FileTooLarge(code_of(number), what, hint_of(number));
  throw Error(code_of(number), what, hint_of(number));
}

// Without /proc the folder has no path to show, and "/NAME" would be another file.
[[noreturn]] void fail(int number, std::string_view verb, int dir, const std::string& name) {
  const std::string folder = path_of(dir);
  fail(number, verb, folder.empty() ? name : folder + "/" + name);
}

FileStat facts_of(const struct stat& found) {
  return {.is_directory = S_ISDIR(found.st_mode),
          .is_regular = S_ISREG(found.st_mode),
          .size = static_cast<std::uint64_t>(found.st_size),
          .device = found.st_dev,
          .inode = found.st_ino,
          .mode = found.st_mode & 07777U,
          .owner = found.st_uid,
          .links = found.st_nlink,
          .modified = found.st_mtime};
}

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

class HeldSyncs {
 public:
  explicit HeldSyncs(std::shared_mutex& syncs) : lock_(syncs) { by_this_thread = true; }
  HeldSyncs(const HeldSyncs&) = delete;
  HeldSyncs& operator=(const HeldSyncs&) = delete;
  ~HeldSyncs() { by_this_thread = false; }

  static inline thread_local bool by_this_thread = false;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): of one thread

 private:
  std::unique_lock<std::shared_mutex> lock_;
};

class RealFs final : public Fs {
 public:
  std::optional<UniqueFd> open_root(const std::string& path) override {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid()) return fd;
    if (errno == ENOENT) return std::nullopt;
    fail(errno, "open", path);
  }

  std::optional<UniqueFd> open_directory(int dir, const std::string& name) override {
    UniqueFd fd(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.valid()) return fd;
    if (errno == ENOENT) return std::nullopt;
    fail(errno, "open", dir, name);
  }

  bool make_directory(int dir, const std::string& name) override {
    if (::mkdirat(dir, name.c_str(), 0700) == 0) return true;
    if (errno == EEXIST) return false;
    fail(errno, "make", dir, name);
  }

  UniqueFd create(int dir, const std::string& name) override {
    UniqueFd fd(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) fail(errno, "create", dir, name);
    return fd;
  }

  std::optional<UniqueFd> open(int dir, const std::string& name) override {
    UniqueFd fd(::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (fd.valid()) return fd;
    if (errno == ENOENT) return std::nullopt;
    fail(errno, "open", dir, name);
  }

  UniqueFd open_append(int dir, const std::string& name) override {
    UniqueFd fd(::openat(dir, name.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600));
    if (!fd.valid()) fail(errno, "open", dir, name);
    return fd;
  }

  std::optional<UniqueFd> reopen_append(int dir, const std::string& name) override {
    UniqueFd fd(::openat(dir, name.c_str(), O_RDWR | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
    if (fd.valid()) return fd;
    if (errno == ENOENT) return std::nullopt;
    fail(errno, "open", dir, name);
  }

  void write(int fd, std::string_view octets) override {
    while (!octets.empty()) {
      const ssize_t written = ::write(fd, octets.data(), octets.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(errno, "write", path_of(fd));
      octets.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  std::string read(int fd, std::size_t octets_max) override {
    std::string out(octets_max, '\0');
    ssize_t got = 0;
    do {
      got = ::read(fd, out.data(), out.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail(errno, "read", path_of(fd));
    out.resize(static_cast<std::size_t>(got));
    return out;
  }

  std::string read_at(int fd, std::uint64_t offset, std::size_t octets_max) override {
    std::string out(octets_max, '\0');
    ssize_t got = 0;
    do {
      got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail(errno, "read", path_of(fd));
    out.resize(static_cast<std::size_t>(got));
    return out;
  }

  void truncate(int fd, std::uint64_t size) override {
    if (::ftruncate(fd, static_cast<off_t>(size)) != 0) fail(errno, "shorten", path_of(fd));
  }

  void sync_file(int fd) override {
    const auto turn = share_syncs(fd);
    if (::fdatasync(fd) != 0) fail(errno, "sync", path_of(fd));
  }

  bool sync_names(int dir) override {
    const auto turn = share_syncs(dir);
    if (::fsync(dir) == 0) return true;
    if (errno == EINVAL) return false;
    fail(errno, "sync", path_of(dir));
  }

  void complete_syncs(int fd) override {
    if (!lacks_journal(fd)) return;
    const auto turn = share_syncs(fd);
    if (::syncfs(fd) != 0) fail(errno, "sync the file system of", path_of(fd));
    // syncfs writes the last blocks behind the flush of the drive's cache, so it leaves them in that cache. fsync flushes it once more.
    if (::fsync(fd) != 0) fail(errno, "sync", path_of(fd));
  }

  std::shared_ptr<void> hold_other_syncs(int dir) override {
    return lacks_journal(dir) ? std::make_shared<HeldSyncs>(syncs_) : std::shared_ptr<void>();
  }

  bool lacks_journal(int fd) override { return journals_.missing_at(fd); }

  void close(UniqueFd fd) override {
    const int number = fd.release();
    // Linux has let go of the descriptor even when close reports EINTR; every other failure may mean lost data (NFS, quota).
    if (::close(number) != 0 && errno != EINTR) throw Error(code_of(errno), "cannot close a written file: " + errno_text(errno));
  }

  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    if (::renameat(from_dir, from.c_str(), to_dir, to.c_str()) == 0) return true;
    if (errno == ENOENT) return false;
    if (errno == EXDEV) {
      throw Error(ErrorCode::mailstore_foreign, "cannot rename within " + escaped(path_of(to_dir)) + ": its folders are on different file systems",
                  "put tmp, new and cur on one file system");
    }
    fail(errno, "rename to", to_dir, to);
  }

  bool unlink(int dir, const std::string& name) override {
    if (::unlinkat(dir, name.c_str(), 0) == 0) return true;
    if (errno == ENOENT) return false;
    fail(errno, "remove", dir, name);
  }

  bool remove_directory(int dir, const std::string& name) override {
    if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) return true;
    if (errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) return false;
    fail(errno, "remove", dir, name);
  }

  std::vector<std::string> list(int dir) override {
    // A descriptor of its own: a shared one would share the read position.
    UniqueFd own(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own.valid()) fail(errno, "list", path_of(dir));
    const std::unique_ptr<DIR, DirCloser> stream(::fdopendir(own.get()));
    if (!stream) fail(errno, "list", path_of(dir));
    (void)own.release();
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = static_cast<const char*>(entry->d_name);
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    if (errno != 0) fail(errno, "list", path_of(dir));
    return names;
  }

  std::optional<FileStat> stat(int dir, const std::string& name) override {
    struct stat found {};
    if (::fstatat(dir, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return std::nullopt;
      fail(errno, "look at", dir, name);
    }
    return facts_of(found);
  }

  FileStat stat_open(int fd) override {
    struct stat found {};
    if (::fstat(fd, &found) != 0) fail(errno, "look at", path_of(fd));
    return facts_of(found);
  }

  void mark_unread(int fd) override {
    struct stat found {};
    if (::fstat(fd, &found) != 0) return;
    std::array<timespec, 2> times = {found.st_atim, {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
    times[0].tv_sec = std::min(found.st_atim.tv_sec, found.st_mtim.tv_sec - 1);
    (void)::futimens(fd, times.data());
  }

  std::uint64_t free_octets(int dir) override {
    struct statvfs found {};
    if (::fstatvfs(dir, &found) != 0) fail(errno, "look at", path_of(dir));
    if (found.f_blocks == 0) return std::numeric_limits<std::uint64_t>::max();  // FUSE and friends that do not know
    return static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize;
  }

 private:
  // The thread that holds the others' syncs goes on with its own.
  std::shared_lock<std::shared_mutex> share_syncs(int fd) {
    return HeldSyncs::by_this_thread || !lacks_journal(fd) ? std::shared_lock<std::shared_mutex>() : std::shared_lock(syncs_);
  }

  Journals journals_;
  std::shared_mutex syncs_;  // of all disks without a journal
};

}  // namespace

Fs& real_fs() {
  static RealFs fs;
  return fs;
}

std::optional<std::uint64_t> file_size_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

std::optional<std::string> read_small_file(Fs& fs, int dir, const std::string& name, std::size_t octets_max) {
  const auto fd = fs.open(dir, name);
  if (!fd) return std::nullopt;
  std::string content;
  while (content.size() <= octets_max) {
    const std::string part = fs.read(fd->get(), octets_max + 1 - content.size());
    if (part.empty()) return content;
    content += part;
  }
  throw Error(ErrorCode::io_error, escaped(name) + " is larger than " + std::to_string(octets_max) + " octets");
}

void replace_file(Fs& fs, int dir, const std::string& name, std::string_view content) {
  const std::string temporary = name + ".new";
  fs.unlink(dir, temporary);  // left by a crash
  UniqueFd fd = fs.create(dir, temporary);
  try {
    fs.write(fd.get(), content);
    fs.sync_file(fd.get());
    fs.close(std::move(fd));
    fs.complete_syncs(dir);  // content before names
    if (!fs.rename(dir, temporary, dir, name)) throw Error(ErrorCode::io_error, "the new " + escaped(name) + " vanished before it was put in place");
  } catch (...) {
    fs.unlink(dir, temporary);
    throw;
  }
  fs.sync_directory(dir);
}

}  // namespace popsync
