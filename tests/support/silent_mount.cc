// SPDX-License-Identifier: MIT
#include "support/silent_mount.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

constexpr std::size_t kRequestOctetsMax = 256UL * 1024;
constexpr std::uint32_t kWriteOctetsMax = 128U * 1024;
// Seconds for which the kernel knows a name without asking. Two that ask for one unknown name at once wait for each other in the kernel, where not
// even a kill ends it; the programs under test must be able to end.
constexpr std::uint64_t kRememberedFor = 3600;

template <typename Struct>
std::string octets_of(const Struct& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The fixed part of a request.
template <typename Struct>
Struct argument(const std::string& body) {
  Struct value{};
  std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
  return value;
}

// What follows it: names that end with NUL.
std::string name_at(const std::string& body, std::size_t offset) { return body.c_str() + offset; }

std::string by_descriptor(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// An answer: 0 and its octets, or an errno value.
struct Answer {
  int error = 0;
  std::string octets = {};
};

Answer failed() { return {.error = errno}; }

// The requests of the kernel, done in a folder. Node numbers stand for descriptors that only name a file.
class Passthrough {
 public:
  explicit Passthrough(const std::string& folder) { nodes_[FUSE_ROOT_ID].reset(::open(folder.c_str(), O_PATH | O_CLOEXEC)); }

  // Empty: this request wants no answer.
  std::optional<Answer> answer(const fuse_in_header& head, const std::string& body) {
    const int node = nodes_[head.nodeid].get();
    switch (head.opcode) {
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT: return std::nullopt;
      case FUSE_INIT: return init(argument<fuse_init_in>(body));
      case FUSE_LOOKUP: return entry(node, name_at(body, 0));
      case FUSE_GETATTR: return attributes(node);
      case FUSE_SETATTR: return change(node, argument<fuse_setattr_in>(body));
      case FUSE_MKDIR: return make_folder(node, body);
      case FUSE_UNLINK: return outcome(::unlinkat(node, name_at(body, 0).c_str(), 0));
      case FUSE_RMDIR: return outcome(::unlinkat(node, name_at(body, 0).c_str(), AT_REMOVEDIR));
      case FUSE_RENAME: return rename(node, argument<fuse_rename_in>(body).newdir, body, sizeof(fuse_rename_in));
      case FUSE_RENAME2: return rename(node, argument<fuse_rename2_in>(body).newdir, body, sizeof(fuse_rename2_in));
      case FUSE_LINK: return link(node, argument<fuse_link_in>(body).oldnodeid, name_at(body, sizeof(fuse_link_in)));
      case FUSE_CREATE: return create(node, argument<fuse_create_in>(body), name_at(body, sizeof(fuse_create_in)));
      case FUSE_OPEN:
      case FUSE_OPENDIR: return open(node, argument<fuse_open_in>(body).flags);
      case FUSE_READ: return read(argument<fuse_read_in>(body));
      case FUSE_READDIR: return list(argument<fuse_read_in>(body));
      case FUSE_WRITE: return write(argument<fuse_write_in>(body), body.substr(sizeof(fuse_write_in)));
      case FUSE_FSYNC: return Answer{};
      case FUSE_FSYNCDIR: return Answer{};
      case FUSE_STATFS: return space(node);
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR: files_.erase(argument<fuse_release_in>(body).fh); return Answer{};
      default: return Answer{.error = ENOSYS};  // FLUSH too: the kernel would wait for its answer at the end of a killed process
    }
  }

 private:
  static Answer init(const fuse_init_in& wanted) {
    fuse_init_out out{};
    out.major = FUSE_KERNEL_VERSION;
    out.minor = FUSE_KERNEL_MINOR_VERSION;
    out.max_readahead = wanted.max_readahead;
    out.flags = wanted.flags & FUSE_PARALLEL_DIROPS;
    out.max_write = kWriteOctetsMax;
    out.max_background = 16;
    out.congestion_threshold = 12;
    out.time_gran = 1;
    return {.octets = octets_of(out)};
  }

  static Answer outcome(int result) { return result < 0 ? failed() : Answer{}; }

  static fuse_attr facts_of(const struct stat& found) {
    fuse_attr attr{};
    attr.ino = found.st_ino;
    attr.size = static_cast<std::uint64_t>(found.st_size);
    attr.blocks = static_cast<std::uint64_t>(found.st_blocks);
    attr.atime = static_cast<std::uint64_t>(found.st_atim.tv_sec);
    attr.mtime = static_cast<std::uint64_t>(found.st_mtim.tv_sec);
    attr.ctime = static_cast<std::uint64_t>(found.st_ctim.tv_sec);
    attr.mode = found.st_mode;
    attr.nlink = static_cast<std::uint32_t>(found.st_nlink);
    attr.uid = found.st_uid;
    attr.gid = found.st_gid;
    attr.blksize = 4096;
    return attr;
  }

  // The same file has the same number each time.
  Answer entry(int folder, const std::string& name) {
    UniqueFd fd(::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return failed();
    struct stat found {};
    if (::fstat(fd.get(), &found) != 0) return failed();
    const std::uint64_t number = found.st_ino == FUSE_ROOT_ID ? ~std::uint64_t{0} : found.st_ino;
    if (!nodes_[number].valid()) nodes_[number] = std::move(fd);
    fuse_entry_out out{};
    out.nodeid = number;
    out.entry_valid = kRememberedFor;
    out.attr_valid = kRememberedFor;
    out.attr = facts_of(found);
    return {.octets = octets_of(out)};
  }

  static Answer attributes(int node) {
    struct stat found {};
    if (::fstatat(node, "", &found, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) return failed();
    fuse_attr_out out{};
    out.attr_valid = kRememberedFor;
    out.attr = facts_of(found);
    return {.octets = octets_of(out)};
  }

  static Answer change(int node, const fuse_setattr_in& wanted) {
    if ((wanted.valid & FATTR_SIZE) != 0 && ::truncate(by_descriptor(node).c_str(), static_cast<off_t>(wanted.size)) != 0) return failed();
    if ((wanted.valid & FATTR_MODE) != 0 && ::chmod(by_descriptor(node).c_str(), wanted.mode & 07777U) != 0) return failed();
    return attributes(node);
  }

  Answer make_folder(int folder, const std::string& body) {
    const std::string name = name_at(body, sizeof(fuse_mkdir_in));
    if (::mkdirat(folder, name.c_str(), argument<fuse_mkdir_in>(body).mode) != 0) return failed();
    return entry(folder, name);
  }

  Answer rename(int from, std::uint64_t to, const std::string& body, std::size_t names) {
    const std::string old_name = name_at(body, names);
    const std::string new_name = name_at(body, names + old_name.size() + 1);
    return outcome(::renameat(from, old_name.c_str(), nodes_[to].get(), new_name.c_str()));
  }

  Answer link(int folder, std::uint64_t file, const std::string& name) {
    if (::linkat(AT_FDCWD, by_descriptor(nodes_[file].get()).c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) != 0) return failed();
    return entry(folder, name);
  }

  // The kernel itself puts what is appended behind the end.
  static int flags_of(std::uint32_t flags) { return (static_cast<int>(flags) & ~(O_APPEND | O_NOFOLLOW | O_EXCL)) | O_CLOEXEC; }

  Answer opened(UniqueFd fd, const std::string& before = {}) {
    if (!fd.valid()) return failed();
    fuse_open_out out{};
    out.fh = ++last_file_;
    files_[out.fh] = std::move(fd);
    return {.octets = before + octets_of(out)};
  }

  Answer create(int folder, const fuse_create_in& wanted, const std::string& name) {
    UniqueFd fd(::openat(folder, name.c_str(), flags_of(wanted.flags) | O_CREAT | (static_cast<int>(wanted.flags) & O_EXCL), wanted.mode & 07777U));
    if (!fd.valid()) return failed();
    const Answer made = entry(folder, name);
    return made.error != 0 ? made : opened(std::move(fd), made.octets);
  }

  Answer open(int node, std::uint32_t flags) { return opened(UniqueFd(::open(by_descriptor(node).c_str(), flags_of(flags)))); }

  Answer read(const fuse_read_in& wanted) {
    std::string octets(wanted.size, '\0');
    const ssize_t got = ::pread(files_[wanted.fh].get(), octets.data(), octets.size(), static_cast<off_t>(wanted.offset));
    if (got < 0) return failed();
    octets.resize(static_cast<std::size_t>(got));
    return {.octets = octets};
  }

  // The offset of an entry is its place in the list, which is made anew each time.
  Answer list(const fuse_read_in& wanted) {
    Answer answer;
    std::uint64_t place = 0;
    std::error_code error;
    for (const auto& each : std::filesystem::directory_iterator(by_descriptor(files_[wanted.fh].get()), error)) {
      if (place++ < wanted.offset) continue;
      const std::string name = each.path().filename();
      fuse_dirent head{};
      head.ino = 1;
      head.off = place;
      head.namelen = static_cast<std::uint32_t>(name.size());
      std::string entry(reinterpret_cast<const char*>(&head), FUSE_NAME_OFFSET);
      entry += name;
      entry.resize(FUSE_DIRENT_ALIGN(entry.size()));
      if (answer.octets.size() + entry.size() > wanted.size) break;
      answer.octets += entry;
    }
    return answer;
  }

  Answer write(const fuse_write_in& wanted, const std::string& octets) {
    const ssize_t written = ::pwrite(files_[wanted.fh].get(), octets.data(), wanted.size, static_cast<off_t>(wanted.offset));
    if (written < 0) return failed();
    fuse_write_out out{};
    out.size = static_cast<std::uint32_t>(written);
    return {.octets = octets_of(out)};
  }

  static Answer space(int node) {
    struct statvfs found {};
    if (::fstatvfs(node, &found) != 0) return failed();
    fuse_statfs_out out{};
    out.st.blocks = found.f_blocks;
    out.st.bfree = found.f_bfree;
    out.st.bavail = found.f_bavail;
    out.st.bsize = static_cast<std::uint32_t>(found.f_bsize);
    out.st.frsize = static_cast<std::uint32_t>(found.f_frsize);
    out.st.namelen = 255;
    return {.octets = octets_of(out)};
  }

  std::map<std::uint64_t, UniqueFd> nodes_;
  std::map<std::uint64_t, UniqueFd> files_;
  std::uint64_t last_file_ = 0;
};

DiskEvent event_of(std::uint32_t opcode) {
  switch (opcode) {
    case FUSE_WRITE: return DiskEvent::write;
    case FUSE_FSYNC: return DiskEvent::sync;
    case FUSE_RENAME:
    case FUSE_RENAME2: return DiskEvent::rename;
    default: return DiskEvent::none;
  }
}

// Mounts made from here on are seen by this thread and its children alone, and go with them.
bool have_own_mounts() {
  static thread_local const bool own = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return own;
}

}  // namespace

struct SilentMount::Impl {
  explicit Impl(std::string mount_point) : point(std::move(mount_point)), files(folder.path()) {}

  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> both = {pollfd{wake.get(), POLLIN, 0}, pollfd{is_silent() ? -1 : device.get(), POLLIN, 0}};
      if (::poll(both.data(), both.size(), -1) < 0) continue;
      eventfd_t ignored = 0;
      if (both[0].revents != 0) (void)::eventfd_read(wake.get(), &ignored);
      if (both[1].revents != 0 && !is_silent()) serve_one();
    }
  }

  void serve_one() {
    std::string request(kRequestOctetsMax, '\0');
    const ssize_t length = ::read(device.get(), request.data(), request.size());
    if (length < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
    request.resize(static_cast<std::size_t>(length));
    const auto head = argument<fuse_in_header>(request);
    const auto answer = files.answer(head, request.substr(sizeof head));
    if (answer) {
      fuse_out_header out{};
      out.unique = head.unique;
      out.error = -answer->error;
      const std::string octets = answer->error == 0 ? answer->octets : std::string();
      out.len = static_cast<std::uint32_t>(sizeof out + octets.size());
      const std::string whole = octets_of(out) + octets;
      (void)!::write(device.get(), whole.data(), whole.size());
    }
    const std::lock_guard lock(mutex);
    if (silent_behind != DiskEvent::none && event_of(head.opcode) == silent_behind) silent = true;
  }

  bool is_silent() {
    const std::lock_guard lock(mutex);
    return silent;
  }

  void set(bool value, DiskEvent behind) {
    {
      const std::lock_guard lock(mutex);
      silent = value;
      silent_behind = behind;
    }
    ::eventfd_write(wake.get(), 1);
  }

  std::string point;
  TempFolder folder;
  Passthrough files;
  UniqueFd device;
  UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;  // guards all below
  bool silent = false;
  DiskEvent silent_behind = DiskEvent::none;
  std::jthread thread;
};

SilentMount::SilentMount(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::unique_ptr<SilentMount> SilentMount::mount(const std::string& point) {
  if (::geteuid() != 0 || !have_own_mounts()) return nullptr;
  auto impl = std::make_unique<Impl>(point);
  impl->device.reset(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!impl->device.valid()) return nullptr;
  const std::string options = "fd=" + std::to_string(impl->device.get()) + ",rootmode=40000,user_id=0,group_id=0";
  if (::mount("popsync-test", point.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) return nullptr;
  impl->thread = std::jthread([&here = *impl](const std::stop_token& stop) { here.serve(stop); });
  // The kernel learns that there is no FLUSH: it would wait for an answer at every close, also at that of a process that was killed.
  UniqueFd(::open((point + "/probe").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)).reset();
  ::unlink((point + "/probe").c_str());
  return std::unique_ptr<SilentMount>(new SilentMount(std::move(impl)));
}

// First the connection goes, so that nobody waits any more.
SilentMount::~SilentMount() {
  impl_->thread.request_stop();
  ::eventfd_write(impl_->wake.get(), 1);
  impl_->thread.join();
  impl_->device.reset();
  (void)::umount2(impl_->point.c_str(), MNT_DETACH);
}

const std::string& SilentMount::backing() const { return impl_->folder.path(); }

void SilentMount::fall_silent() { impl_->set(true, DiskEvent::none); }

void SilentMount::fall_silent_behind(DiskEvent event) { impl_->set(false, event); }

void SilentMount::answer_again() { impl_->set(false, DiskEvent::none); }

bool SilentMount::wait_for_waiter() {
  constexpr int kPatienceMs = 60'000;
  while (!impl_->is_silent()) ::sched_yield();
  pollfd waiting{.fd = impl_->device.get(), .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, kPatienceMs) == 1;
}

}  // namespace popsync::test
