// SPDX-License-Identifier: MIT
// Which disk a path lies on, told from the kernel's table of mounts alone: to ask the file system itself (stat) could take for ever if it is dead.
// A disk is named by the device number of its file system, "8:1"; bind mounts of one file system are one disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace popsync {

class MountTable {
 public:
  // The text of /proc/self/mountinfo; lines that make no sense are left out.
  explicit MountTable(std::string_view mountinfo);
  // As it is now. Empty where there is no /proc: then no disk can be told.
  static MountTable now();

  // The disk of an absolute path, which must not lead through symbolic links. Empty if it cannot be told.
  [[nodiscard]] std::string disk_at(std::string_view path) const;
  // The disk of an open file, which is not touched. Empty if it cannot be told.
  [[nodiscard]] std::string disk_of(int fd) const;

 private:
  struct Mount {
    std::uint64_t id = 0;
    std::uint64_t parent = 0;
    std::string disk;
    std::string point;
  };
  [[nodiscard]] const Mount* mounted_on(const Mount* below, std::string_view path) const;

  std::vector<Mount> mounts_;
};

// The path without symbolic links, as far as it can be told: readlink(2) on each part from the left, as long as `may_look` agrees to look there. The
// rest, and what does not exist, is left as it is. `path` is absolute.
std::string without_links(const std::string& path, const std::function<bool(const std::string& part, const std::string& whole)>& may_look);

}  // namespace popsync
