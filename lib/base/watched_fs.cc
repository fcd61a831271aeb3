// SPDX-License-Identifier: MIT
#include "base/watched_fs.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <climits>
#include <iterator>

#include "base/mount_table.h"

namespace popsync {
namespace {

constexpr std::size_t kPathsKept = 8;  // an account's mailstores, its staging folder, its secret

// By the kernel's own note of the name: the file system is not asked.
std::string path_of(int fd) {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return length <= 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(length));
}

}  // namespace

// One call, from its beginning to its end.
class WatchedFs::Note {
 public:
  Note(WatchedFs& fs, int fd) : Note(fs, Call{.since = fs.clock_.steady(), .fd = fd}) {}
  Note(WatchedFs& fs, const std::string& path) : Note(fs, Call{.since = fs.clock_.steady(), .path = path}) {}
  Note(const Note&) = delete;
  Note& operator=(const Note&) = delete;
  ~Note() {
    const bool late = fs_.clock_.steady() - call_->since >= kHangsAfter;
    {
      const std::lock_guard lock(fs_.mutex_);
      fs_.calls_.erase(call_);
    }
    if (late && fs_.on_late_answer_) fs_.on_late_answer_();
  }

 private:
  Note(WatchedFs& fs, Call call) : fs_(fs) {
    const std::lock_guard lock(fs.mutex_);
    fs.calls_.push_back(std::move(call));
    call_ = std::prev(fs.calls_.end());
  }

  WatchedFs& fs_;
  std::list<Call>::iterator call_;
};

WatchedFs::WatchedFs(Fs& fs, const Clock& clock, std::function<void()> on_late_answer)
    : fs_(fs), clock_(clock), on_late_answer_(std::move(on_late_answer)) {}

std::optional<SteadyTime> WatchedFs::waits_since() const {
  const std::lock_guard lock(mutex_);
  return calls_.empty() ? std::nullopt : std::optional(calls_.front().since);
}

DiskPlace WatchedFs::waits_at() const {
  Call call{.since = {}};
  {
    const std::lock_guard lock(mutex_);
    if (calls_.empty()) return {};
    call = calls_.front();
  }
  const MountTable mounts = MountTable::now();
  if (call.fd < 0) return {.disk = mounts.disk_at(call.path), .path = call.path};
  return {.disk = mounts.disk_of(call.fd), .path = path_of(call.fd)};
}

std::string WatchedFs::known_path(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(paths_, path, &std::pair<std::string, std::string>::first);
  return known == paths_.end() ? path : known->second;
}

std::string WatchedFs::find(const std::string& path) {
  std::optional<Note> note;
  const auto remember = [&](const std::string& where) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(paths_, path, &std::pair<std::string, std::string>::first);
    if (known != paths_.end()) {
      known->second = where;
      return;
    }
    if (paths_.size() == kPathsKept) paths_.erase(paths_.begin());
    paths_.emplace_back(path, where);
  };
  std::string found = without_links(path, [&](const std::string& part, const std::string& whole) {
    note.reset();
    remember(whole);
    note.emplace(*this, part);
    return true;
  });
  note.reset();
  remember(found);
  return found;
}

void WatchedFs::touch(const std::string& path, const std::function<void()>& call) {
  if (path.empty()) return call();
  const Note note(*this, find(path));
  call();
}

void WatchedFs::beside(int fd, const std::function<void()>& call) {
  const Note note(*this, fd);
  fs_.beside(fd, call);
}

std::optional<UniqueFd> WatchedFs::open_root(const std::string& path) {
  const Note note(*this, find(path));
  return fs_.open_root(path);
}

std::optional<UniqueFd> WatchedFs::open_directory(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.open_directory(dir, name);
}

bool WatchedFs::make_directory(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.make_directory(dir, name);
}

UniqueFd WatchedFs::create(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.create(dir, name);
}

std::optional<UniqueFd> WatchedFs::open(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.open(dir, name);
}

UniqueFd WatchedFs::open_append(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.open_append(dir, name);
}

void WatchedFs::write(int fd, std::string_view octets) {
  const Note note(*this, fd);
  fs_.write(fd, octets);
}

std::string WatchedFs::read(int fd, std::size_t octets_max) {
  const Note note(*this, fd);
  return fs_.read(fd, octets_max);
}

std::string WatchedFs::read_at(int fd, std::uint64_t offset, std::size_t octets_max) {
  const Note note(*this, fd);
  return fs_.read_at(fd, offset, octets_max);
}

void WatchedFs::truncate(int fd, std::uint64_t size) {
  const Note note(*this, fd);
  fs_.truncate(fd, size);
}

void WatchedFs::sync_file(int fd) {
  const Note note(*this, fd);
  fs_.sync_file(fd);
}

std::optional<UniqueFd> WatchedFs::reopen_append(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.reopen_append(dir, name);
}

bool WatchedFs::lacks_journal(int fd) {
  const Note note(*this, fd);
  return fs_.lacks_journal(fd);
}

bool WatchedFs::sync_names(int dir) {
  const Note note(*this, dir);
  return fs_.sync_names(dir);
}

void WatchedFs::complete_syncs(int fd) {
  const Note note(*this, fd);
  fs_.complete_syncs(fd);
}

std::shared_ptr<void> WatchedFs::hold_other_syncs(int dir) {
  const Note note(*this, dir);
  return fs_.hold_other_syncs(dir);
}

void WatchedFs::close(UniqueFd fd) {
  const Note note(*this, fd.get());
  fs_.close(std::move(fd));
}

bool WatchedFs::rename(int from_dir, const std::string& from, int to_dir, const std::string& to) {
  const Note note(*this, to_dir);
  return fs_.rename(from_dir, from, to_dir, to);
}

bool WatchedFs::unlink(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.unlink(dir, name);
}

bool WatchedFs::remove_directory(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.remove_directory(dir, name);
}

std::vector<std::string> WatchedFs::list(int dir) {
  const Note note(*this, dir);
  return fs_.list(dir);
}

std::optional<FileStat> WatchedFs::stat(int dir, const std::string& name) {
  const Note note(*this, dir);
  return fs_.stat(dir, name);
}

FileStat WatchedFs::stat_open(int fd) {
  const Note note(*this, fd);
  return fs_.stat_open(fd);
}

void WatchedFs::mark_unread(int fd) {
  const Note note(*this, fd);
  fs_.mark_unread(fd);
}

std::uint64_t WatchedFs::free_octets(int dir) {
  const Note note(*this, dir);
  return fs_.free_octets(dir);
}

}  // namespace popsync
