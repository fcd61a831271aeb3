// SPDX-License-Identifier: MIT
// The seam to the operating system's files: every call that a mailstore's durability rests on, and nothing else. The product uses
// real_fs(); tests put a failing or crashing Fs behind it. Names are single path components below a directory descriptor, never
// followed if they are symbolic links, so nothing a stranger put into a mailstore can lead us out of it.
//
// Errors are thrown as Error: no space, quota or a file that may not grow is disk_full; no such file, no permission or read-only is
// mailstore_unavailable; anything else is io_error. The message names the call and the file. A failed sync says nothing about what is on the disk:
// never retry it on the same file and never read the file back as proof (docs/durability.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace popsync {

// A write met the largest size that a file may have here (EFBIG: a limit of this process, or of the file system). To whoever does not tell it apart
// it is a full disk.
class FileTooLarge : public Error {
 public:
  using Error::Error;
};

struct FileStat {
  bool is_directory = false;
  bool is_regular = false;
  std::uint64_t size = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t mode = 0;
  std::uint32_t owner = 0;
  std::uint64_t links = 0;
  std::int64_t modified = 0;  // seconds since 1970
};

class Fs {
 public:
  virtual ~Fs() = default;

  // A mailstore's root, or the state directory: symbolic links in `path` are followed, once, here. Empty if it does not exist.
  virtual std::optional<UniqueFd> open_root(const std::string& path) = 0;
  // A directory below `dir`, not through a link. Empty if it does not exist.
  virtual std::optional<UniqueFd> open_directory(int dir, const std::string& name) = 0;
  // mkdir 0700. False if the name exists already.
  virtual bool make_directory(int dir, const std::string& name) = 0;
  // A new file, 0600, for writing; an existing name is an error (io_error).
  virtual UniqueFd create(int dir, const std::string& name) = 0;
  // An existing file for reading. Empty if it does not exist.
  virtual std::optional<UniqueFd> open(int dir, const std::string& name) = 0;
  // A file for reading anywhere and for writing at its end, made (0600) if it does not exist. Never waits for the other end of a pipe.
  virtual UniqueFd open_append(int dir, const std::string& name) = 0;
  // The same for a file that is there. Empty if it does not exist.
  virtual std::optional<UniqueFd> reopen_append(int dir, const std::string& name) = 0;
  // Writes all octets.
  virtual void write(int fd, std::string_view octets) = 0;
  // Reads up to `octets_max` octets; empty at the end.
  virtual std::string read(int fd, std::size_t octets_max) = 0;
  // Reads up to `octets_max` octets from `offset` on; empty at the end.
  virtual std::string read_at(int fd, std::uint64_t offset, std::size_t octets_max) = 0;
  virtual void truncate(int fd, std::uint64_t size) = 0;
  // fdatasync of a file. It counts once the folder that names the file is synced behind it.
  virtual void sync_file(int fd) = 0;
  // The names made, moved and removed in the directory so far are durable, and the files whose sync came before. Does nothing more on a file system
  // that cannot sync directories.
  void sync_directory(int dir) { (void)can_sync_directory(dir); }
  // The same, and false if the file system has no such call (EINVAL): a power cut may undo what was named there.
  bool can_sync_directory(int dir) {
    const bool can = sync_names(dir);
    complete_syncs(dir);
    return can;
  }
  // fsync of a directory alone: a part of sync_directory(). False: EINVAL.
  virtual bool sync_names(int dir) = 0;
  // Behind a group of syncs on the file system of `fd`: where lacks_journal() they do not hold before all of it is synced, so that is done. Nothing
  // elsewhere. sync_directory() does it; it is called where a group does not end with a directory.
  virtual void complete_syncs(int fd) = 0;
  // ext4 without a journal (base/journal.h).
  virtual bool lacks_journal(int fd) = 0;
  // Names are about to be moved to another folder: where lacks_journal(), no other thread of ours syncs there until the guard goes, and nothing else
  // may be waited for. ext4 writes the old folder with each new file that is synced in it, and a power cut would then find the names in neither.
  [[nodiscard]] virtual std::shared_ptr<void> hold_other_syncs(int /*dir*/) { return nullptr; }
  // close, its result looked at.
  virtual void close(UniqueFd fd) = 0;
  // Atomically moves a name, replacing what is at the target. False if the source does not exist.
  virtual bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) = 0;
  // False if the name does not exist.
  virtual bool unlink(int dir, const std::string& name) = 0;
  // rmdir. False if the folder does not exist or is not empty.
  virtual bool remove_directory(int dir, const std::string& name) = 0;
  // Names in the directory, without "." and "..", in no order. Reads from the start each time.
  virtual std::vector<std::string> list(int dir) = 0;
  // lstat below `dir`. Empty if it does not exist.
  virtual std::optional<FileStat> stat(int dir, const std::string& name) = 0;
  // fstat.
  virtual FileStat stat_open(int fd) = 0;
  // Sets the time of last access before that of the last change, by which readers of an mbox know that mail is new. A courtesy: failing is not told.
  virtual void mark_unread(int fd) = 0;
  // Octets an ordinary user may still write on the file system that holds `dir`.
  virtual std::uint64_t free_octets(int dir) = 0;
  // Runs a call that asks the file system of `fd` past this seam: for locks.
  virtual void beside(int fd, const std::function<void()>& call) {
    (void)fd;
    call();
  }
};

// The kernel's. Safe from any thread.
Fs& real_fs();

// The largest size that the system lets this process give a file (ulimit -f, LimitFSIZE=); empty: no limit.
std::optional<std::uint64_t> file_size_limit();

// All of a file of at most `octets_max` octets; empty if it does not exist; io_error if it is larger.
std::optional<std::string> read_small_file(Fs& fs, int dir, const std::string& name, std::size_t octets_max);

// Replaces a small file so that after a crash either the old or the new content is there: writes a temporary file beside it, syncs
// it, renames it over `name` and syncs the directory. Callers exclude each other.
void replace_file(Fs& fs, int dir, const std::string& name, std::string_view content);

}  // namespace popsync
