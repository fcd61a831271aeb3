// SPDX-License-Identifier: MIT
// How a VolatileDisk is handed on to the next process: a file in the attic.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "support/volatile_disk.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMemory = "memory";

void put(std::ostream& out, std::uint64_t number) { out << number << ' '; }

void put(std::ostream& out, const std::string& text) {
  put(out, text.size());
  out << text;
}

std::uint64_t number_in(std::istream& in) {
  std::uint64_t number = 0;
  if (!(in >> number) || in.get() != ' ') throw std::runtime_error("the simulated disk does not understand its memory");
  return number;
}

std::string text_in(std::istream& in) {
  std::string text(number_in(in), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

std::string path_of(int fd) { return fs::read_symlink("/proc/self/fd/" + std::to_string(fd)); }

// Empty if another file has the name by now.
UniqueFd reopen(const std::string& path, int flags, std::uint64_t device, std::uint64_t inode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  struct stat found {};
  if (!fd.valid() || ::fstat(fd.get(), &found) != 0 || found.st_dev != device || found.st_ino != inode) return {};
  return fd;
}

// By its name; by the link in the attic if it was removed.
UniqueFd reopen_file(const std::string& path, const std::string& attic, std::uint64_t device, std::uint64_t inode) {
  if (UniqueFd fd = reopen(path, O_RDWR, device, inode); fd.valid()) return fd;
  for (const auto& kept : fs::directory_iterator(attic)) {
    if (UniqueFd fd = reopen(kept.path(), O_RDWR, device, inode); fd.valid()) return fd;
  }
  return {};
}

}  // namespace

void VolatileDisk::save() const {
  std::ofstream out(attic_ + "/" + kMemory, std::ios::binary | std::ios::trunc);
  put(out, kept_);
  put(out, noted_);
  put(out, dirs_.size());
  for (const auto& [inode, fd] : dirs_) {
    put(out, inode.first);
    put(out, inode.second);
    put(out, path_of(fd.get()));
  }
  put(out, changes_.size());
  for (const Change& change : changes_) {
    for (const std::uint64_t number : {change.dir.first, change.dir.second, change.made_folder ? std::uint64_t{1} : 0,
                                       change.hopeless ? std::uint64_t{1} : 0, change.number, change.needs, std::uint64_t{change.slots.size()}}) {
      put(out, number);
    }
    for (const Slot& slot : change.slots) {
      put(out, slot.name);
      put(out, slot.before);
    }
  }
  put(out, files_.size());
  for (const auto& [inode, file] : files_) {
    put(out, inode.first);
    put(out, inode.second);
    put(out, path_of(file.fd.get()));
    put(out, file.writes.size());
    for (const Write& write : file.writes) {
      for (const std::uint64_t number : {write.offset, write.length, write.old_size, write.hopeless ? std::uint64_t{1} : 0}) put(out, number);
      put(out, write.old);
    }
  }
  if (!out.flush()) throw std::runtime_error("the simulated disk cannot save its memory");
}

void VolatileDisk::load() {
  std::ifstream in(attic_ + "/" + kMemory, std::ios::binary);
  if (!in) return;
  kept_ = number_in(in);
  noted_ = number_in(in);
  for (std::uint64_t left = number_in(in); left > 0; --left) {
    Inode inode;
    inode.first = number_in(in);
    inode.second = number_in(in);
    UniqueFd fd = reopen(text_in(in), O_RDONLY | O_DIRECTORY, inode.first, inode.second);
    if (fd.valid()) dirs_[inode] = std::move(fd);
  }
  for (std::uint64_t left = number_in(in); left > 0; --left) {
    Change change;
    change.dir.first = number_in(in);
    change.dir.second = number_in(in);
    change.made_folder = number_in(in) != 0;
    change.hopeless = number_in(in) != 0;
    change.number = number_in(in);
    change.needs = number_in(in);
    change.slots.resize(number_in(in));
    for (Slot& slot : change.slots) {
      slot.name = text_in(in);
      slot.before = text_in(in);
    }
    if (dirs_.contains(change.dir)) changes_.push_back(std::move(change));
  }
  for (std::uint64_t left = number_in(in); left > 0; --left) {
    Inode inode;
    inode.first = number_in(in);
    inode.second = number_in(in);
    File file;
    file.fd = reopen_file(text_in(in), attic_, inode.first, inode.second);
    file.writes.resize(number_in(in));
    for (Write& write : file.writes) {
      write.offset = number_in(in);
      write.length = number_in(in);
      write.old_size = number_in(in);
      write.hopeless = number_in(in) != 0;
      write.old = text_in(in);
    }
    if (file.fd.valid() && !file.writes.empty()) files_[inode] = std::move(file);
  }
}

}  // namespace popsync::test
