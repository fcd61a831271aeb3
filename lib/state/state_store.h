// SPDX-License-Identifier: MIT
// The database STATE/state.db: what has been seen, staged and published. The only place that knows SQL.
//
// A COMMIT either is durable or did not happen, or its outcome is unknown; then the process ends at once (74) without touching a file, because only
// recovery can tell (docs/durability.md). Full disk and a held lock are known failures: Error disk_full, lock_held. Everything else that goes wrong
// before COMMIT is Error io_error or state_corrupt with nothing changed. A damaged or newer database stops; it never starts empty.
//
// One connection, shared by the threads of the process: every call takes the store's mutex, a Transaction holds it until its end. Commits and
// checkpoints of all processes are in turn under an OFD lock on STATE/lock.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "state/file_lock.h"
#include "state/rows.h"
#include "state/server_memory.h"

namespace popsync::state {

class Transaction;

struct Opening {
  static constexpr int kLogPagesMax = 4096;  // 16 MiB: moving more at once would be felt

  std::string lost_key = {};                            // see prepare_install()
  int log_pages_max = kLogPagesMax;                     // a commit that leaves so many pages in the log moves them into the database
  std::chrono::milliseconds patience = kShortLockWait;  // with others that have the state open, where its tables have to be changed
  bool holds_daemon_lock = false;                       // STATE/daemon.lock is held by the caller
  Fs& fs = real_fs();                                   // completes the syncs of the database; all else goes past it
};

class StateStore {
 public:
  // Makes directory, key and database if they are missing, changes the tables of an older popsync to ours, and brings the write-ahead log into the
  // database once. Errors: state_unavailable, state_corrupt, newer_schema, lock_held (another process keeps the log busy for 30 s, or has the state
  // open while its tables have to be changed).
  static std::unique_ptr<StateStore> open(const std::string& directory, const Opening& opening = {});
  // Null if this state has never been used; makes nothing.
  static std::unique_ptr<StateStore> open_existing(const std::string& directory, const Opening& opening = {});
  // As open_existing(), for those who only look: the tables of an older popsync stay as they are, for it may be running. What is seen then is a
  // copy in memory, with our tables; what is written to it goes with it.
  static std::unique_ptr<StateStore> open_to_look(const std::string& directory);
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  [[nodiscard]] const std::string& directory() const;
  [[nodiscard]] const std::string& install_key() const;
  // The copy of open_to_look(): the next popsync that works on the state changes its tables.
  [[nodiscard]] bool is_copy_of_older() const;

  std::vector<AccountRow> accounts();
  std::optional<AccountRow> account(std::string_view id);
  std::optional<AccountRow> account_named(std::string_view name);
  // Those of this name or this user. Answered from indexes: who asks for each of ten thousand accounts must not read all of them each time.
  std::vector<AccountRow> accounts_akin(std::string_view name, std::string_view user);
  // What the daemon told of the account. Says nothing when none runs.
  std::optional<UnansweredRow> unanswered(std::string_view account_name);
  std::vector<MailstoreRow> mailstores(std::string_view account_id);
  std::vector<MailstoreRow> mailstores();  // of all accounts
  std::vector<MessageRow> messages(std::string_view account_id);
  std::vector<StagedRow> staged(std::string_view account_id);
  // The first `count_max`.
  std::vector<HeldRow> held(std::string_view account_id, std::uint32_t count_max = UINT32_MAX);
  std::vector<PublishedRow> published(std::string_view account_id);
  // Rows of all accounts that stand for a file in the mailstore at this path.
  std::vector<FileRow> files_at(const std::string& path);
  // Those of one mailstore row.
  std::vector<FileRow> files_of(RowId mailstore);
  std::optional<StoredPrints> prints(RowId id);
  // Of the rows that have one.
  std::vector<HeaderPrint> header_prints(std::string_view account_id);
  // A message without unique-id, by its content (servers without UIDL).
  struct Found {
    RowId id = 0;
    bool removable = false;
    std::uint32_t deletions = 0;
  };
  std::optional<Found> find_by_sha256(std::string_view account_id, std::string_view sha256);
  // The row is the k-th of its account with its unique-id; one without unique-id, of those held or skipped with its size. 0: there is no such row.
  std::size_t occurrence(RowId id);
  // Is there a row of this unique-id, of any state?
  bool knows(std::string_view account_id, const pop3::UniqueId& uid);
  // What must be done about an account's rows that a look at a part of the maildrop would not do: rows staged, and held ones to be tried again.
  // Answered from indexes: costs the same however many rows there are.
  struct DueWork {
    std::uint32_t tries_max = 0;
    std::uint64_t message_size_max = 0;
  };
  bool has(std::string_view account_id, const DueWork& work);
  // Of the messages that may be deleted on the server and were there at the last listing: the oldest that each clock has taken the time of. Answered
  // from an index, at the cost of those clocks.
  struct Removable {
    std::uint32_t deletions_max = 0;  // not deleted so often yet
    std::uint32_t tries_max = 0;      // nor tried in vain
    std::uint64_t message_size_max = 0;
  };
  std::vector<TakenTime> oldest_removable(std::string_view account_id, const Removable& which);
  // In the order in which they began.
  std::vector<ClockRow> clocks();
  // What happened ahead of now did so by a clock that was ahead: its time becomes now, in the state. What is planned further ahead than its own delay
  // is planned anew, so far from now. Writes only where there is such a time, and then warns once. Whether there was one.
  bool bring_times_back(std::span<const AccountRow> accounts, WallTime now);
  // Before times are read and stored: the clock is in the table, and so is this boot's first session. Writes only where the clock is a new one.
  void note_clock(const ClockReading& now);
  // Empty if nothing was learnt yet. From the first call on this process counts as one that uses it; if an earlier one ended badly, what was
  // remembered of all servers is forgotten first (use_mark.h).
  ServerMemory server_memory(std::string_view account_id);
  std::uint64_t held_count(std::string_view account_id);
  // Messages known in any way, held ones left out.
  std::uint64_t seen_count(std::string_view account_id);
  // The PUBLISHED row of a file name.
  struct Stored {
    RowId id = 0;
    std::string sha256;
    bool unverified = false;
  };
  std::optional<Stored> find_published(RowId mailstore, const std::string& name);

  // Everything between begin() and commit() happens or does not. Waits for other threads and processes (30 s at most, then lock_held).
  Transaction begin();
  // These mailstores are suspended from now on, for this process in any case, for others and for good if the database takes it: its disk may be the
  // failing one. Ends with Transaction::resume(). Does not throw; a COMMIT of unknown outcome ends the process as ever.
  void suspend(const std::vector<RowId>& mailstores, const std::string& reason);
  // Reads the whole database for damage. Error state_corrupt.
  void quick_check();

 private:
  friend class Transaction;
  struct Impl;
  explicit StateStore(std::unique_ptr<Impl> impl);
  void begin_use_of_server_memory();
  static std::unique_ptr<StateStore> open(const std::string& directory, const Opening& opening, bool only_looks);
  std::unique_ptr<Impl> impl_;
};

}  // namespace popsync::state
