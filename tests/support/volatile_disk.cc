// SPDX-License-Identifier: MIT
#include "support/volatile_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <ranges>
#include <set>
#include <stdexcept>

namespace popsync::test {
namespace {

void must(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error("the simulated disk cannot " + what + ", errno " + std::to_string(errno));
}

struct stat stat_of(int fd) {
  struct stat found {};
  must(::fstat(fd, &found) == 0, "look at a descriptor");
  return found;
}

std::uint64_t size_of(int fd) { return static_cast<std::uint64_t>(stat_of(fd).st_size); }

std::string octets_at(int fd, std::uint64_t offset, std::uint64_t length) {
  std::string octets(length, '\0');
  const ssize_t got = ::pread(fd, octets.data(), octets.size(), static_cast<off_t>(offset));
  must(got >= 0, "read old octets");
  octets.resize(static_cast<std::size_t>(got));
  return octets;
}

void put(int fd, std::uint64_t offset, const std::string& octets) {
  if (octets.empty()) return;
  must(::pwrite(fd, octets.data(), octets.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(octets.size()), "put octets back");
}

}  // namespace

VolatileDisk::VolatileDisk(std::string attic, bool without_journal) : attic_(std::move(attic)), without_journal_(without_journal) {
  std::filesystem::create_directories(attic_);
  attic_fd_.reset(::open(attic_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  must(attic_fd_.valid(), "open its attic");
  load();
}

VolatileDisk::~VolatileDisk() = default;

void VolatileDisk::about_to_write(int fd, std::uint64_t offset, std::uint64_t length) {
  File& file = file_of(fd);
  const std::uint64_t size = size_of(fd);
  const std::uint64_t there = size > offset ? std::min(length, size - offset) : 0;
  file.writes.push_back({.offset = offset, .length = length, .old_size = size, .old = octets_at(file.fd.get(), offset, there), .hopeless = false});
}

void VolatileDisk::file_synced(int fd) {
  if (!without_journal_) make_durable(file_of(fd));
}

void VolatileDisk::make_durable(File& file) {
  std::vector<Write>& writes = file.writes;
  std::vector<Write> hopeless;
  for (const Write& write : writes) {
    if (write.hopeless) {
      hopeless.push_back(write);
    } else {
      cover(hopeless, write);
    }
  }
  writes = std::move(hopeless);
}

// What a later write, synced, has replaced is in doubt no more.
void VolatileDisk::cover(std::vector<Write>& hopeless, const Write& synced) {
  const std::uint64_t begin = synced.offset;
  const std::uint64_t end = begin + synced.length;
  std::vector<Write> left;
  for (const Write& write : hopeless) {
    const auto part = [&](std::uint64_t from, std::uint64_t to) {
      if (from >= to) return;
      Write rest = write;
      rest.offset = from;
      rest.length = to - from;
      const std::uint64_t skipped = std::min<std::uint64_t>(from - write.offset, write.old.size());
      rest.old = write.old.substr(skipped, rest.length);
      left.push_back(std::move(rest));
    };
    const std::uint64_t write_end = write.offset + write.length;
    part(write.offset, std::min(write_end, begin));
    part(std::max(write.offset, end), write_end);
  }
  hopeless = std::move(left);
}

void VolatileDisk::file_sync_failed(int fd) {
  for (Write& write : file_of(fd).writes) write.hopeless = true;
}

void VolatileDisk::file_sync_failed_and_lost(int fd) {
  File& file = file_of(fd);
  for (const Write& write : std::views::reverse(file.writes)) undo(file, write);
  file.writes.clear();
}

std::string VolatileDisk::keep(int dir, const std::string& name) {
  std::string kept = std::to_string(++kept_);
  if (::linkat(dir, name.c_str(), attic_fd_.get(), kept.c_str(), 0) == 0) return kept;
  must(errno == ENOENT, "keep " + name);
  return {};
}

void VolatileDisk::folder_made(int dir, const std::string& name) {
  Change change;
  change.slots = {{.name = name, .before = {}}};
  change.made_folder = true;
  note(dir, std::move(change));
}

void VolatileDisk::folder_removed(int dir, const std::string& name) {
  const struct stat found = stat_of(dir);
  std::erase_if(changes_, [&](const Change& change) {
    return change.made_folder && change.dir == Inode{found.st_dev, found.st_ino} && change.slots.front().name == name;
  });
}

void VolatileDisk::name_made(int dir, const std::string& name) { name_removed(dir, name, {}); }

void VolatileDisk::name_removed(int dir, const std::string& name, std::string kept) {
  Change change;
  change.slots = {{.name = name, .before = std::move(kept)}};
  note(dir, std::move(change));
}

void VolatileDisk::name_moved(int from_dir, const std::string& from, int to_dir, const std::string& to, std::string kept_from, std::string kept_to) {
  Change left;
  left.slots = {{.name = from, .before = std::move(kept_from)}};
  Change arrived;
  arrived.slots = {{.name = to, .before = std::move(kept_to)}};
  const struct stat from_stat = stat_of(from_dir);
  const struct stat to_stat = stat_of(to_dir);
  if (from_stat.st_dev == to_stat.st_dev && from_stat.st_ino == to_stat.st_ino) {
    left.slots.push_back(std::move(arrived.slots.front()));
  } else {
    left.needs = note(to_dir, std::move(arrived));
  }
  note(from_dir, std::move(left));
}

void VolatileDisk::directory_synced(int dir) {
  const struct stat found = stat_of(dir);
  if (!without_journal_) make_durable({found.st_dev, found.st_ino});
}

void VolatileDisk::all_synced() {
  for (auto& [inode, file] : files_) make_durable(file);
  for (const auto& [inode, fd] : dirs_) make_durable(inode);
}

void VolatileDisk::all_syncs_failed() {
  for (auto& [inode, file] : files_) {
    for (Write& write : file.writes) write.hopeless = true;
  }
  for (Change& change : changes_) change.hopeless = true;
}

void VolatileDisk::make_durable(const Inode& inode) {
  std::set<std::string> durable;  // an earlier change of such a name is in doubt no more
  for (Change& change : std::views::reverse(changes_)) {
    if (change.dir != inode) continue;
    if (!change.hopeless) {
      for (const Slot& slot : change.slots) durable.insert(slot.name);
      change.slots.clear();
    }
    std::erase_if(change.slots, [&](const Slot& slot) { return durable.contains(slot.name); });
  }
  std::erase_if(changes_, [&](const Change& change) { return change.slots.empty(); });
}

void VolatileDisk::directory_sync_failed(int dir) {
  const struct stat found = stat_of(dir);
  for (Change& change : changes_) {
    if (change.dir == Inode{found.st_dev, found.st_ino}) change.hopeless = true;
  }
}

void VolatileDisk::cut_power(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto chance = [&](std::uint64_t of) { return seed != 0 && random() % of == 0; };
  // What is left of a folder's names: each change by chance, but none that builds on one that was undone.
  std::set<std::pair<Inode, std::string>> undone_names;
  std::set<std::uint64_t> undone_numbers;
  std::vector<const Change*> undone;
  for (const Change& change : changes_) {
    const bool builds_on_undone = undone_numbers.contains(change.needs) || std::ranges::any_of(change.slots, [&](const Slot& slot) {
                                    return undone_names.contains({change.dir, slot.name});
                                  });
    if (!builds_on_undone && chance(2)) continue;
    undone_numbers.insert(change.number);
    for (const Slot& slot : change.slots) undone_names.emplace(change.dir, slot.name);
    undone.push_back(&change);
  }
  for (const Change* change : std::views::reverse(undone)) undo(*change);
  for (auto& [inode, file] : files_) {
    for (const Write& write : std::views::reverse(file.writes)) {
      if (chance(3)) continue;
      undo(file, write);
      // The size may have reached the disk before the octets did, and a part of the octets before the rest.
      if (chance(3))
        must(::ftruncate(file.fd.get(), static_cast<off_t>(std::max(size_of(file.fd.get()), write.offset + write.length))) == 0, "fill with zeros");
    }
  }
  for (const std::string& path : lost_) ::unlink(path.c_str());
  changes_.clear();
  for (auto& [inode, file] : files_) file.writes.clear();
}

VolatileDisk::File& VolatileDisk::file_of(int fd) {
  const struct stat found = stat_of(fd);
  File& file = files_[{found.st_dev, found.st_ino}];
  if (!file.fd.valid()) {
    file.fd.reset(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
    must(file.fd.valid(), "open a file anew");
  }
  return file;
}

void VolatileDisk::undo(File& file, const Write& write) const {
  const int fd = file.fd.get();
  const std::uint64_t end = write.offset + write.length;
  if (end > write.old_size && size_of(fd) <= end) {
    must(::ftruncate(fd, static_cast<off_t>(write.old_size)) == 0, "shorten a file");
  } else if (end > write.old_size) {
    put(fd, write.old_size, std::string(end - write.old_size, '\0'));  // something durable follows: a hole
  }
  put(fd, write.offset, write.old);
}

void VolatileDisk::undo(const Change& change) {
  const int dir = dirs_.at(change.dir).get();
  for (const Slot& slot : change.slots) {
    if (change.made_folder) {
      std::filesystem::remove_all("/proc/self/fd/" + std::to_string(dir) + "/" + slot.name);
      continue;
    }
    if (::unlinkat(dir, slot.name.c_str(), 0) != 0) must(errno == ENOENT, "take away " + slot.name);
    if (!slot.before.empty()) must(::linkat(attic_fd_.get(), slot.before.c_str(), dir, slot.name.c_str(), 0) == 0, "bring back " + slot.name);
  }
}

std::uint64_t VolatileDisk::note(int dir, Change change) {
  const struct stat found = stat_of(dir);
  change.dir = {found.st_dev, found.st_ino};
  UniqueFd& own = dirs_[change.dir];
  if (!own.valid())
    own.reset(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // not a duplicate: that would keep a lock of the product on it
  must(own.valid(), "keep a folder open");
  change.number = ++noted_;
  changes_.push_back(std::move(change));
  return noted_;
}

}  // namespace popsync::test
