// SPDX-License-Identifier: MIT
// An mbox as the target of one account. Entries wait, formatted and synced, in STATE/staging/ACCOUNT-ID/, which only the holder of the account's lock
// touches; a batch of them is appended under the locks of the file. An mbox shows no trace of who wrote what, so the place of each entry is committed
// before it is written, and each carries a marker: by place or marker every entry is found again after a crash (mbox_settling.h).
//
// Its identity is its path: readers replace the file at will, so another file there, or none, is normal while its folder exists. Errors:
// mailstore_unavailable (folder gone, no permission, no mbox, others may change it), lock_held (another program kept its locks), interrupted, and
// those of Fs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/folders.h"
#include "base/fs.h"
#include "base/stop_signal.h"
#include "delivery/mbox_format.h"
#include "delivery/mbox_lock.h"
#include "delivery/staging.h"

namespace popsync::delivery {

constexpr std::size_t kPaddingOctetsMax = 2;

// Where and how an account's mbox is kept.
struct MboxPlace {
  std::string path;  // absolute
  MboxLockKinds locks;
  std::chrono::milliseconds lock_wait = kMboxLockWait;
  std::string state_directory;  // staging is below it
  std::string account_id;
  std::string account_name;  // for messages
  bool make_file = true;     // if it is not there; the account has left an mbox of which this is false
};

enum class MboxCondition {
  no_folder,  // the folder that is to hold it does not exist
  absent,     // the folder is there
  empty,
  mbox,
  other,  // no regular file, a file of several names, or one that does not begin as an mbox
};

// Looks without changing anything.
MboxCondition inspect_mbox(Fs& fs, const std::string& path);
// An entry in it has the marker that popsync gives each. Reads until it finds one, without a lock: who writes there meanwhile may hide it.
bool holds_marked_entry(Fs& fs, const std::string& path);
// False if its folder is there and cannot be written: then fcntl alone locks.
bool dot_lock_possible(Fs& fs, const std::string& path);
// Throws Error mailstore_unavailable for what can never become an mbox.
void refuse_unsuitable(const std::string& path, MboxCondition found);
// Throws Error mailstore_unavailable where others could change the mail: a file that is neither ours nor root's, or that everybody may write to; a
// folder of another user that everybody may write to, unless its sticky bit is set. What is not there is no fault. Mbox asks the same of what it
// opens.
void refuse_unsafe(Fs& fs, const std::string& path);

// The marker of an entry and the name of its staged file: 64 random bits and the token of maildir_name.h.
std::string make_marker(std::string_view token);

// The mbox while its locks are held; nobody who respects one of them changes it. Released when destroyed.
class LockedMbox {
 public:
  LockedMbox(Fs& fs, int folder, StagingFolder& staging, std::string path, UniqueFd fd, MboxLock lock);

  [[nodiscard]] std::uint64_t size();
  // What must stand before the next entry so that it follows an empty line. Throws mailstore_unavailable if the file is no mbox.
  [[nodiscard]] std::string padding();
  // Of a staged entry behind `padding`. Throws io_error if it is not in staging any more.
  [[nodiscard]] EntryPrint print_of_staged(const std::string& padding, const std::string& name);
  // Appends `padding` and the staged entries, durable when it returns. If writing fails, what was written is taken back, provided that nobody wrote
  // behind it; whatever stays is settled by recovery. Throws io_error if a sync failed, also one that was to take something back.
  void append(const std::string& padding, std::span<const std::string> names);
  // SHA-256 of a part of the file; empty if the file ends within it.
  [[nodiscard]] std::optional<std::string> sha256_of(std::uint64_t offset, std::uint64_t length);
  // What stands there begins a line, or is the end of one: an entry (or its padding) there is one to every reader.
  [[nodiscard]] bool is_at_line(std::uint64_t offset);
  // The file ends behind `offset`, within `padding` and the staged entries, and each octet there is theirs or zero (a power cut leaves pages of
  // zeros).
  [[nodiscard]] bool ends_torn_in(std::uint64_t offset, const std::string& padding, std::span<const std::string> names);
  // Durable when it returns; throws io_error, whatever the cause, if it cannot be synced. Only behind ends_torn_in().
  void cut(std::uint64_t offset);
  // What is in the file is durable, and its name. Throws io_error, whatever the cause, if it is not.
  void make_durable();
  void scan(MboxScanner& scanner);

 private:
  void write(const std::string& padding, std::span<const std::string> names);
  void take_back(std::uint64_t offset, const std::string& padding, std::span<const std::string> names);
  bool is_ours_or_zero(std::uint64_t offset, std::string_view ours, std::uint64_t size);

  Fs& fs_;
  int folder_;
  StagingFolder& staging_;
  std::string path_;
  UniqueFd fd_;
  MboxLock lock_;
};

class Mbox {
 public:
  // A path that is new to the account: makes the folder that is to hold the file, and staging. The file itself comes with the first message.
  static Mbox make(Fs& fs, MboxPlace place);
  // A path the account has used before: its folder must exist.
  static Mbox open(Fs& fs, MboxPlace place);

  [[nodiscard]] const std::string& path() const { return place_.path; }
  StagingFolder& staging() { return staging_; }
  [[nodiscard]] Fs& fs() { return fs_; }
  // The same file, with the staging of another account that delivers into it.
  [[nodiscard]] Mbox of_account(const std::string& account_id) const;
  // Opens the file, makes it if it is not there and may be made (else mailstore_unavailable), and takes its locks; waits as long as its place says,
  // then throws lock_held. Throws interrupted if it would have to wait and `stop` is requested.
  LockedMbox lock(const StopSignal& stop);
  // As those of Maildir, of the folder that holds the file.
  [[nodiscard]] std::uint64_t free_octets() { return fs_.free_octets(folder_.get()); }
  [[nodiscard]] bool can_sync() { return fs_.can_sync_directory(folder_.get()); }
  [[nodiscard]] bool shares_device(const std::string& path) { return same_device(fs_, folder_.get(), path); }
  // For looking only: no lock, nothing is made. False if there is no file.
  bool scan(MboxScanner& scanner);

 private:
  Mbox(Fs& fs, MboxPlace place, UniqueFd folder, UniqueFd staging);
  std::optional<LockedMbox> try_lock();
  UniqueFd open_file();

  Fs& fs_;
  MboxPlace place_;
  std::string name_;
  UniqueFd folder_;
  StagingFolder staging_;
};

}  // namespace popsync::delivery
