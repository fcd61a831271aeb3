// SPDX-License-Identifier: MIT
#include "support/faulty_fs.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace popsync::test {
namespace {

[[noreturn]] void fail(Machine::Outcome outcome, const std::string& what) {
  if (outcome == Machine::Outcome::io_error) throw Error(ErrorCode::io_error, "cannot " + what + ": Input/output error (injected)");
  throw Error(ErrorCode::disk_full, "cannot " + what + ": No space left on device (injected)");
}

// By any other open file than this one.
bool is_locked(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::uint64_t place_of_next_write(int fd) {
  if ((::fcntl(fd, F_GETFL) & O_APPEND) != 0) return real_fs().stat_open(fd).size;
  return static_cast<std::uint64_t>(::lseek(fd, 0, SEEK_CUR));
}

}  // namespace

void FaultyFs::pass(CallKind call, const std::string& what) {
  if (!lock_.empty() && is_locked(lock_)) {
    std::fprintf(stderr, "a transaction is open at: %s\n", what.c_str());
    std::abort();
  }
  const Machine::Outcome outcome = machine_.next(call, what);
  if (outcome != Machine::Outcome::normal) fail(outcome, what);
}

std::optional<UniqueFd> FaultyFs::open_root(const std::string& path) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "open root " + path);
  return real_fs().open_root(path);
}

std::optional<UniqueFd> FaultyFs::open_directory(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "open directory " + name);
  return real_fs().open_directory(dir, name);
}

bool FaultyFs::make_directory(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::make, "make directory " + name);
  const bool made = real_fs().make_directory(dir, name);
  if (made && machine_.disk() != nullptr) machine_.disk()->folder_made(dir, name);
  return made;
}

UniqueFd FaultyFs::create(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::make, "create " + name);
  UniqueFd fd = real_fs().create(dir, name);
  if (machine_.disk() != nullptr) machine_.disk()->name_made(dir, name);
  return fd;
}

std::optional<UniqueFd> FaultyFs::open(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "open " + name);
  return real_fs().open(dir, name);
}

UniqueFd FaultyFs::open_append(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::make, "open for appending " + name);
  const bool is_new = !real_fs().stat(dir, name);
  UniqueFd fd = real_fs().open_append(dir, name);
  if (is_new && machine_.disk() != nullptr) machine_.disk()->name_made(dir, name);
  return fd;
}

std::optional<UniqueFd> FaultyFs::reopen_append(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "open for appending again " + name);
  return real_fs().reopen_append(dir, name);
}

void FaultyFs::write(int fd, std::string_view octets) {
  const auto lock = machine_.lock();
  const std::string what = "write " + std::to_string(octets.size()) + " octets";
  const Machine::Outcome outcome = machine_.next(CallKind::write, what);
  const bool part = outcome == Machine::Outcome::short_write || outcome == Machine::Outcome::torn;
  if (outcome != Machine::Outcome::normal && !part) fail(outcome, what);
  const std::string_view written = part ? octets.substr(0, octets.size() / 2) : octets;
  if (machine_.disk() != nullptr) machine_.disk()->about_to_write(fd, place_of_next_write(fd), written.size());
  real_fs().write(fd, written);
  if (outcome == Machine::Outcome::torn) machine_.crash();
  if (part) fail(outcome, what);
}

std::string FaultyFs::read(int fd, std::size_t octets_max) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "read");
  return real_fs().read(fd, octets_max);
}

std::string FaultyFs::read_at(int fd, std::uint64_t offset, std::size_t octets_max) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "read");
  return real_fs().read_at(fd, offset, octets_max);
}

void FaultyFs::truncate(int fd, std::uint64_t size) {
  const auto lock = machine_.lock();
  pass(CallKind::remove, "truncate to " + std::to_string(size));
  const std::uint64_t old = real_fs().stat_open(fd).size;
  if (machine_.disk() != nullptr && old > size) machine_.disk()->about_to_write(fd, size, old - size);
  real_fs().truncate(fd, size);
}

void FaultyFs::sync_file(int fd) {
  const auto lock = machine_.lock();
  const Machine::Outcome outcome = machine_.next(CallKind::sync_file, "sync a file");
  VolatileDisk* disk = machine_.disk();
  if (outcome == Machine::Outcome::normal) {
    if (disk != nullptr) disk->file_synced(fd);
    return;
  }
  if (disk != nullptr && machine_.plan().failed_sync_loses) disk->file_sync_failed_and_lost(fd);
  if (disk != nullptr && !machine_.plan().failed_sync_loses) disk->file_sync_failed(fd);
  fail(outcome, "sync a file");
}

bool FaultyFs::sync_names(int dir) {
  const auto lock = machine_.lock();
  const Machine::Outcome outcome = machine_.next(CallKind::sync_directory, "sync a directory");
  VolatileDisk* disk = machine_.disk();
  if (outcome == Machine::Outcome::normal) {
    if (disk != nullptr) disk->directory_synced(dir);
    return true;
  }
  if (disk != nullptr) disk->directory_sync_failed(dir);
  fail(outcome, "sync a directory");
}

void FaultyFs::complete_syncs(int fd) {
  if (!lacks_journal(fd)) return;
  const auto lock = machine_.lock();
  const Machine::Outcome outcome = machine_.next(CallKind::sync_directory, "sync the file system");
  VolatileDisk* disk = machine_.disk();
  if (outcome == Machine::Outcome::normal) {
    if (disk != nullptr) disk->all_synced();
    return;
  }
  if (disk != nullptr) disk->all_syncs_failed();
  fail(outcome, "sync the file system");
}

bool FaultyFs::lacks_journal(int /*fd*/) { return machine_.plan().without_journal; }

void FaultyFs::close(UniqueFd fd) {
  const auto lock = machine_.lock();
  const Machine::Outcome outcome = machine_.next(CallKind::close, "close a written file");
  real_fs().close(std::move(fd));  // Linux has let go of the descriptor even where close fails
  if (outcome != Machine::Outcome::normal) fail(outcome, "close a written file");
}

bool FaultyFs::rename(int from_dir, const std::string& from, int to_dir, const std::string& to) {
  const auto lock = machine_.lock();
  pass(CallKind::move, "rename " + from + " to " + to);
  VolatileDisk* disk = machine_.disk();
  std::string kept_from = disk != nullptr ? disk->keep(from_dir, from) : std::string();
  std::string kept_to = disk != nullptr ? disk->keep(to_dir, to) : std::string();
  const bool moved = real_fs().rename(from_dir, from, to_dir, to);
  if (moved && disk != nullptr) disk->name_moved(from_dir, from, to_dir, to, std::move(kept_from), std::move(kept_to));
  return moved;
}

bool FaultyFs::unlink(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::remove, "unlink " + name);
  VolatileDisk* disk = machine_.disk();
  std::string kept = disk != nullptr ? disk->keep(dir, name) : std::string();
  const bool removed = real_fs().unlink(dir, name);
  if (removed && disk != nullptr) disk->name_removed(dir, name, std::move(kept));
  return removed;
}

bool FaultyFs::remove_directory(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::remove, "remove directory " + name);
  const bool removed = real_fs().remove_directory(dir, name);
  if (removed && machine_.disk() != nullptr) machine_.disk()->folder_removed(dir, name);
  return removed;
}

std::vector<std::string> FaultyFs::list(int dir) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "list a directory");
  return real_fs().list(dir);
}

std::optional<FileStat> FaultyFs::stat(int dir, const std::string& name) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "stat " + name);
  return real_fs().stat(dir, name);
}

FileStat FaultyFs::stat_open(int fd) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "stat");
  return real_fs().stat_open(fd);
}

void FaultyFs::mark_unread(int fd) {
  const auto lock = machine_.lock();
  real_fs().mark_unread(fd);
}

std::uint64_t FaultyFs::free_octets(int dir) {
  const auto lock = machine_.lock();
  pass(CallKind::look, "statvfs");
  return real_fs().free_octets(dir);
}

}  // namespace popsync::test
