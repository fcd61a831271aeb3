// SPDX-License-Identifier: MIT
// A disk that fails to sync, or is full, where the test says so; it may heal while the test runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>
#include <string>

#include "base/error.h"
#include "support/forwarding_fs.h"

namespace popsync::test {

// The kernel's files, but where the test says so.
class FailingFs : public ForwardingFs {
 public:
  std::set<std::string> unsyncable;      // last part of the path of a folder or file
  std::set<std::string> full;            // folders that take no further name
  ErrorCode code = ErrorCode::io_error;  // of both
  bool directories_sync = true;
  std::uint64_t free = std::numeric_limits<std::uint64_t>::max();
  std::function<void(const std::string& to)> before_rename = [](const std::string& /*to*/) {};

  void sync_file(int fd) override { sync(fd); }
  bool sync_names(int dir) override {
    sync(dir);
    return directories_sync;
  }
  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    before_rename(to);
    if (full.contains(last_part(to_dir))) throw Error(code, "no space");
    return real_fs().rename(from_dir, from, to_dir, to);
  }
  std::uint64_t free_octets(int /*dir*/) override { return free; }

 private:
  static std::string last_part(int fd) { return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).filename(); }
  void sync(int fd) const {
    if (unsyncable.contains(last_part(fd))) throw Error(code, "no sync of " + last_part(fd));
  }
};

}  // namespace popsync::test
