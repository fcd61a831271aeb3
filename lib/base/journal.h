// SPDX-License-Identifier: MIT
// Which file systems do not keep what was synced: ext4 without a journal (mkfs.ext4 -O ^has_journal). fsync writes the file there, but not all that
// leads to it, and after a power cut files are lost or cut short. Only a sync of the whole file system helps. ext2 and ext3 share the magic number of
// ext4, and ext2 has no journal either.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace popsync {

// Thread-safe. The kernel is asked once for each file system: a batch of messages costs no look at /sys.
class Journals {
 public:
  explicit Journals(std::string sysfs = "/sys") : sysfs_(std::move(sysfs)) {}

  // Of the file system that holds the open file or folder. False for those that are not ext4.
  [[nodiscard]] bool missing_at(int fd);
  // The same by the facts: its magic number, its device, its own number. An ext4 of which the kernel tells nothing counts as one without a journal.
  [[nodiscard]] bool missing_on(std::uint64_t type, std::uint64_t device, std::uint64_t id);

 private:
  [[nodiscard]] bool look(std::uint64_t device) const;

  const std::string sysfs_;
  std::mutex mutex_;                                                 // guards all below
  std::map<std::pair<std::uint64_t, std::uint64_t>, bool> missing_;  // by device and number: another disk may get the device of one that is gone
};

}  // namespace popsync
