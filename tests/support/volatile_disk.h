// SPDX-License-Identifier: MIT
// What the kernel was given and the disk does not have yet: octets written since the last sync of their file, names made, moved and removed since the
// last sync of their folder. cut_power() makes the real files look as they may after a power cut: as a file system without a journal leaves them,
// where every folder keeps its own last sync and nothing else is promised, but that of a name moved to another folder nothing asked to write the old
// folder alone. On a disk `without_journal`, as ext4 leaves it then, a sync of a file or a folder promises nothing at all before the whole disk is
// synced (measured: files lost, doubled and cut short though every fsync was made). Inodes behind undone names are kept alive by links in a folder of
// its own, the attic. What a failed sync was to save stays in doubt for ever: no later sync makes it durable, only writing it anew and syncing that.
//
// The kernel outlives a process: save() leaves all this in the attic, and the disk of the next run goes on from there.
//
// Not thread-safe (Machine's lock is taken around it).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace popsync::test {

class VolatileDisk {
 public:
  // `attic`: a folder on the same file system, made here. An empty one is a machine where all is durable; save() wrote into one that is not.
  explicit VolatileDisk(std::string attic, bool without_journal = false);
  VolatileDisk(const VolatileDisk&) = delete;
  VolatileDisk& operator=(const VolatileDisk&) = delete;
  ~VolatileDisk();

  // Call before writing `length` octets at `offset` to the file (at its end: append), or before cutting it there.
  void about_to_write(int fd, std::uint64_t offset, std::uint64_t length);
  void file_synced(int fd);
  void file_sync_failed(int fd);
  // The sync failed and the cached octets are gone with it: a reader sees the old ones from now on.
  void file_sync_failed_and_lost(int fd);

  // Call before removing or replacing names: what may have to come back gets a link in the attic.
  [[nodiscard]] std::string keep(int dir, const std::string& name);  // empty if there is none
  void folder_made(int dir, const std::string& name);
  void folder_removed(int dir, const std::string& name);  // for good: only one that was just made is ever removed
  void name_made(int dir, const std::string& name);
  void name_removed(int dir, const std::string& name, std::string kept);
  // `kept_from` and `kept_to`: of both names before the move.
  void name_moved(int from_dir, const std::string& from, int to_dir, const std::string& to, std::string kept_from, std::string kept_to);
  void directory_synced(int dir);
  void directory_sync_failed(int dir);
  // The whole disk.
  void all_synced();
  void all_syncs_failed();

  // A file that does not outlive a power cut (memory shared by processes).
  void lost_at_power_cut(std::string path) { lost_.push_back(std::move(path)); }
  // Seed 0: nothing that was not synced is there. Else some of it is, octets as zeros perhaps, names one by one. What is there then is durable.
  void cut_power(std::uint64_t seed);
  // For the next disk on this attic. What others do to the files in between counts as durable.
  void save() const;

 private:
  using Inode = std::pair<std::uint64_t, std::uint64_t>;  // device, number
  struct Write {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t old_size = 0;
    std::string old;  // what stood there
    bool hopeless = false;
  };
  struct File {
    UniqueFd fd;  // kept open: closing any descriptor of a file drops the process's locks on it
    std::vector<Write> writes;
  };
  // A name before and after; empty is absent. What stands before is in the attic.
  struct Slot {
    std::string name;
    std::string before;
  };
  // Names of one folder that change together: rename() within a folder is atomic, over two folders it is not.
  struct Change {
    Inode dir;
    std::vector<Slot> slots;
    bool made_folder = false;
    bool hopeless = false;
    std::uint64_t number = 0;
    std::uint64_t needs = 0;  // the number of a change that this one does not outlive the undoing of
  };

  void load();
  static void make_durable(File& file);
  void make_durable(const Inode& dir);
  File& file_of(int fd);
  static void cover(std::vector<Write>& hopeless, const Write& synced);
  void undo(File& file, const Write& write) const;
  void undo(const Change& change);
  std::uint64_t note(int dir, Change change);

  std::string attic_;
  const bool without_journal_;
  UniqueFd attic_fd_;
  std::uint64_t kept_ = 0;
  std::uint64_t noted_ = 0;
  std::map<Inode, File> files_;
  std::map<Inode, UniqueFd> dirs_;
  std::vector<Change> changes_;  // in the order they were made
  std::vector<std::string> lost_;
};

}  // namespace popsync::test
