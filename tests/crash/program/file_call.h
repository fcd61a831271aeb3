// SPDX-License-Identifier: MIT
// Which system calls change a file, a folder or a lock, and which path one that a stopped thread is about to make concerns. Reading calls are left
// out: a crash at one leaves what a crash at the changing call before it leaves.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace popsync::test {

struct FileCall {
  std::string name;  // "renameat2"
  std::string path;  // of a renaming: the old one
};

// The call with this number and these arguments of thread `tid`, if it changes something below one of `folders`.
std::optional<FileCall> file_call(pid_t tid, std::uint64_t number, const std::array<std::uint64_t, 6>& arguments,
                                  const std::vector<std::string>& folders);

}  // namespace popsync::test
