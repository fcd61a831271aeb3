// SPDX-License-Identifier: MIT
#include "base/journal.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace popsync {
namespace {

constexpr std::string_view kNoJournal = "<none>";  // in the place of the id of the thread that writes the journal

}  // namespace

bool Journals::missing_at(int fd) {
  struct statfs system {};
  struct stat file {};
  // What cannot be looked at cannot be synced either, and the sync before this tells.
  if (::fstatfs(fd, &system) != 0 || ::fstat(fd, &file) != 0) return false;
  return missing_on(static_cast<std::uint32_t>(system.f_type), file.st_dev, std::bit_cast<std::uint64_t>(system.f_fsid));
}

bool Journals::missing_on(std::uint64_t type, std::uint64_t device, std::uint64_t id) {
  if (type != EXT4_SUPER_MAGIC) return false;
  const std::lock_guard lock(mutex_);
  const auto [verdict, is_new] = missing_.try_emplace({device, id}, true);
  if (is_new) verdict->second = look(device);
  return verdict->second;
}

bool Journals::look(std::uint64_t device) const {
  const std::string number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::error_code error;
  const std::filesystem::path place = std::filesystem::read_symlink(sysfs_ + "/dev/block/" + number, error);
  std::ifstream file(sysfs_ + "/fs/ext4/" + place.filename().string() + "/journal_task");
  std::string task;
  return error || !(file >> task) || task == kNoJournal;
}

}  // namespace popsync
