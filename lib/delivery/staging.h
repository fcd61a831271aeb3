// SPDX-License-Identifier: MIT
// The staging folder of one account in one Maildir, tmp/.popsync/<install id>.<account id>/, and a message being written into it. Only the holder of
// the account's lock touches it. It is a folder inside tmp/ because cleaners remove old files from tmp/, and mail readers do not look into folders
// there.
//
// The whole crash argument rests on this place being ours alone: a name that is in staging has not been published, a name that was and is not any
// more has been, whatever a reader or the user did to the file afterwards (docs/durability.md). So publishing is one rename out of it, never link and
// unlink.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "delivery/line_ending.h"
#include "delivery/mbox_format.h"
#include "delivery/message_prints.h"
#include "delivery/sync_pool.h"

namespace popsync::delivery {

// An mbox entry as it stands in its staged file.
struct EntryPrint {
  std::uint64_t length = 0;
  std::string sha256;  // 32 octets
};

// A message on its way to the disk: write(), then finish(), then start_sync(), wait_synced(). Destroyed before keep(), its file is removed: nothing
// refers to it yet. After keep() a database row may name it, and only recovery decides. `fs` and the staging folder must outlive it. One thread, but
// it may be handed on.
class StagedMessage {
 public:
  // With `entry`, the file holds the message as an entry of an mbox; prints() are those of the message all the same.
  // `buffer` is used until finish(), by one message at a time, and keeps its memory for the next.
  StagedMessage(Fs& fs, int staging_dir, std::string name, std::string& buffer, std::optional<MboxEntryFormatter> entry = {});
  StagedMessage(const StagedMessage&) = delete;
  StagedMessage& operator=(const StagedMessage&) = delete;
  ~StagedMessage();

  // Octets as the server sent them, unstuffed; CRLF becomes LF here.
  void write(std::string_view wire_octets);
  // All octets have come and are handed to the kernel.
  void finish();
  // Begins fdatasync and close in the pool.
  void start_sync(SyncPool& pool);
  // Returns when both are done; throws what they threw. The file is then worth nothing: a failed sync is never repeated on it.
  void wait_synced();
  // The file stays whatever happens to this object.
  void keep() { kept_ = true; }
  // No row names it after all: the COMMIT is known to have failed.
  void release() { kept_ = false; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t wire_octets() const { return wire_octets_; }
  [[nodiscard]] const Prints& prints() const { return prints_; }
  [[nodiscard]] const EntryPrint& entry() const { return entry_print_; }

 private:
  void flush();
  void put(std::string_view stored);

  Fs& fs_;
  int dir_;
  std::string name_;
  UniqueFd fd_;
  CrlfToLf line_endings_;
  MessagePrinter printer_;
  Prints prints_;
  std::optional<MboxEntryFormatter> formatter_;
  std::string formatted_;
  Sha256 entry_digest_;
  EntryPrint entry_print_;
  std::string& buffer_;
  std::uint64_t wire_octets_ = 0;
  PendingSync synced_;
  bool kept_ = false;
};

class StagingFolder {
 public:
  StagingFolder(Fs& fs, UniqueFd dir);

  std::unique_ptr<StagedMessage> begin(std::string name);
  // As an entry of an mbox; `name` is its marker too.
  std::unique_ptr<StagedMessage> begin_entry(std::string name, WallTime received);
  // The names made in it and moved out of it are durable.
  void sync();
  // Messages in it, in no order.
  [[nodiscard]] std::vector<std::string> names();
  [[nodiscard]] std::optional<std::string> sha256_of(const std::string& name);
  bool remove(const std::string& name);

  // The number of the file gen.<n>: how many batches were published from here. A backup that is put back shows by it.
  [[nodiscard]] std::optional<std::uint64_t> generation();
  // Renames gen.<n> to gen.<n+1>, or makes the file anew; durable after sync(), also if an earlier sync of this number failed.
  void set_generation(std::uint64_t generation);

  // A sync of the mailstore failed: what it should have proved must not be believed by the next process either. What tells it is a file that is
  // taken away, because on a full disk nothing can be made. That is not synced: a power cut brings it back, and takes the kernel's own false memory
  // of clean pages with it. trust_disk() puts it there; durable after sync().
  void distrust_disk();
  void trust_disk();
  [[nodiscard]] bool trusts_disk();
  // The state that fills this folder was lost or is older than the folder: files in the Maildir may be of messages that no row knows. The mark is
  // made durable by sync(). When it was made, in seconds since 1970, names it: it tells no age, for the clock may have been set.
  void mark_unlearned();
  void forget_unlearned();
  [[nodiscard]] std::optional<std::int64_t> unlearned_since();
  // Keeps every other process out that looks for this, also one with a copy of our state, until this object is gone. False if one holds it.
  [[nodiscard]] bool try_lock();
  // A new file `to` with the content of `from` in `from_dir`, synced; durable after sync(). False, and nothing is left, if `from` is gone or its
  // content does not have this SHA-256. What was at `to` is replaced.
  bool copy(int from_dir, const std::string& from, const std::string& to, std::string_view sha256);
  // Throws what syncing throws: writes a file, syncs it, removes it.
  void prove_sync();

  [[nodiscard]] int dir() const { return dir_.get(); }

 private:
  Fs& fs_;
  UniqueFd dir_;
  std::string buffer_;  // of the message that is being written
};

// SHA-256 of a file below `dir`; empty if it does not exist.
std::optional<std::string> file_sha256(Fs& fs, int dir, const std::string& name);

}  // namespace popsync::delivery
