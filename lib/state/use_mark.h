// SPDX-License-Identifier: MIT
// Did every process that used what is remembered of servers end well? What a server says may end a process: by a fault of ours, or by the memory that
// it takes. What is remembered of that server would lead the next process to the same words, and it would end the same way. So each process that uses
// it has a mark, a file STATE/sessions.PID.RANDOM. A process that ends well takes its mark away, by whatever error it ends; one that is aborted,
// killed or loses its power does not. A mark left behind means: forget what is remembered, ask the servers anew.
//
// The process holds a lock on its mark, and the kernel ends that with the process. So a mark without a holder was left behind, whatever process has
// that number by now, and processes beside each other do not take each other's marks for such. The mark is synced: an end by the power counts too.
#pragma once

#include <string>
#include <vector>

#include "state/file_lock.h"

namespace popsync::state {

class UseMark {
 public:
  // Makes and holds the mark. Errors: disk_full, state_unavailable.
  explicit UseMark(const std::string& directory);
  UseMark(UseMark&&) = default;
  UseMark(const UseMark&) = delete;
  UseMark& operator=(const UseMark&) = delete;
  UseMark& operator=(UseMark&&) = delete;
  ~UseMark();

 private:
  UniqueFd directory_;
  std::string name_;
  FileLock lock_;
};

// The names of the marks that nobody holds any more.
std::vector<std::string> marks_left_behind(const std::string& directory);
// Once what they stand for is done. One that is gone already is none.
void remove_marks(const std::string& directory, const std::vector<std::string>& names);

}  // namespace popsync::state
