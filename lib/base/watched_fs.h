// SPDX-License-Identifier: MIT
// The files of one account, with a note of every call under way: who waits for the file system, since when and where. A dead network mount holds a
// thread in the kernel for hours; nobody can free it, but whoever asks here can leave it alone and go on without it.
//
// Used by the threads of one session at a time, asked by any other. What is asked never touches the file system.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"

namespace popsync {

// Longer than a disk that only has much to do: the block layer tries again for 30 s, and a soft NFS mount gives up later.
constexpr std::chrono::seconds kHangsAfter{30};

struct DiskPlace {
  std::string disk;  // as MountTable names it; empty if it cannot be told
  std::string path;
  bool sure = false;  // no symbolic link can lead elsewhere
};

class WatchedFs final : public Fs {
 public:
  // `fs` and `clock` must outlive it. `on_late_answer` is called when a call has ended that took kHangsAfter or more, by the thread that made it; it
  // must not call back.
  WatchedFs(Fs& fs, const Clock& clock, std::function<void()> on_late_answer);

  // Since when the oldest call under way waits; empty if there is none. Any thread.
  [[nodiscard]] std::optional<SteadyTime> waits_since() const;
  // Where it waits. Any thread.
  [[nodiscard]] DiskPlace waits_at() const;
  // Where `path`, opened as a root before perhaps, leads as far as this process knows: without the symbolic links it has met. Any thread.
  [[nodiscard]] std::string known_path(const std::string& path) const;

  // A call that looks at a file at `path` past this seam, such as a secret; at none if `path` is empty.
  void touch(const std::string& path, const std::function<void()>& call);
  void beside(int fd, const std::function<void()>& call) override;

  std::optional<UniqueFd> open_root(const std::string& path) override;
  std::optional<UniqueFd> open_directory(int dir, const std::string& name) override;
  bool make_directory(int dir, const std::string& name) override;
  UniqueFd create(int dir, const std::string& name) override;
  std::optional<UniqueFd> open(int dir, const std::string& name) override;
  UniqueFd open_append(int dir, const std::string& name) override;
  void write(int fd, std::string_view octets) override;
  std::string read(int fd, std::size_t octets_max) override;
  std::string read_at(int fd, std::uint64_t offset, std::size_t octets_max) override;
  void truncate(int fd, std::uint64_t size) override;
  void sync_file(int fd) override;
  std::optional<UniqueFd> reopen_append(int dir, const std::string& name) override;
  bool lacks_journal(int fd) override;
  bool sync_names(int dir) override;
  void complete_syncs(int fd) override;
  std::shared_ptr<void> hold_other_syncs(int dir) override;
  void close(UniqueFd fd) override;
  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override;
  bool unlink(int dir, const std::string& name) override;
  bool remove_directory(int dir, const std::string& name) override;
  std::vector<std::string> list(int dir) override;
  std::optional<FileStat> stat(int dir, const std::string& name) override;
  FileStat stat_open(int fd) override;
  void mark_unread(int fd) override;
  std::uint64_t free_octets(int dir) override;

 private:
  struct Call {
    SteadyTime since;
    int fd = -1;
    std::string path = {};  // where no descriptor tells the place
  };
  class Note;
  // The path without links, found step by step: should one step hang, it is known where.
  std::string find(const std::string& path);

  Fs& fs_;
  const Clock& clock_;
  const std::function<void()> on_late_answer_;
  mutable std::mutex mutex_;                                // guards all below
  std::list<Call> calls_;                                   // the oldest first
  std::vector<std::pair<std::string, std::string>> paths_;  // as named, and where it leads
};

}  // namespace popsync
