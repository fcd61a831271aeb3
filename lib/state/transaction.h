// SPDX-License-Identifier: MIT
// One all-or-nothing change of the state. Rolled back when it is destroyed before commit(). Holds the store's mutex: short, and nothing slow inside.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "state/rows.h"
#include "state/state_store.h"

namespace popsync::state {

struct NewStaged {
  std::string account;
  RowId mailstore = 0;
  pop3::UniqueId uid;
  std::optional<std::uint64_t> list_size;
  StoredPrints prints;
  std::string name;
  bool suspect = false;
  ClockReading at{};
  std::optional<EntryPlace> entry = {};  // in an mbox
};

struct NewKnown {
  std::string account;
  RowState state = RowState::seen;  // seen, held or skipped
  pop3::UniqueId uid;
  std::optional<std::uint64_t> list_size;
  std::string reason;
  std::uint32_t tries = 0;
  ClockReading at{};
};

class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  void insert_account(const AccountRow& account);
  void update_account(const AccountRow& account);  // everything but the id, the totals and next_sync
  // `next_sync`: `delay` from the moment it was planned; empty: not by itself.
  void set_plan(std::string_view account_name, std::optional<WallTime> next_sync, std::chrono::seconds delay, bool needs_operator);
  // A session of the account ended well at this time. No effect if the account's row tells of a failure or of a later session, which another process
  // had.
  void note_success(std::string_view account_name, WallTime at);
  // See StateStore::bring_times_back().
  void bring_times_back(std::string_view account, WallTime now);
  // Empty: its file system answers. All are forgotten at the start of a daemon: what it does not say is not so.
  void set_unanswered(std::string_view account_name, const std::optional<UnansweredRow>& unanswered);
  void forget_unanswered();
  void add_delivered(std::string_view account, std::uint64_t messages, std::uint64_t octets);
  void forget_account(std::string_view id);
  // In the place of what was remembered of the account's server before.
  void remember_server(std::string_view account, const ServerMemory& memory);
  // What would lead a session to the same words again: capabilities and listings, of all accounts. What makes sessions more careful stays.
  void distrust_servers();

  RowId insert_mailstore(std::string_view account, const std::string& path, const std::string& store_id, MailstoreKind kind = MailstoreKind::maildir);
  void set_mailstore_id(RowId mailstore, const std::string& store_id);
  void set_generation(RowId mailstore, std::uint64_t generation);
  // The mailstore lies there from now on.
  void move_mailstore(RowId mailstore, const std::string& path);
  // Two rows of one mailstore become one: `other` goes, and what it named is in `mailstore`.
  void merge_mailstores(RowId mailstore, RowId other);
  // The mailstore is lost, and its row goes: messages staged for it are unknown again, no other of its messages is removable any more.
  void lose_mailstore(RowId mailstore);
  void suspend(RowId mailstore, const std::string& reason);
  void resume(RowId mailstore);  // also forgets its sync failures
  void set_sync_failures(RowId mailstore, std::uint32_t failures);
  // This mark of a lost state (StagingFolder::unlearned_since()) was met for the first time.
  void set_unlearned(RowId mailstore, std::int64_t mark, const ClockReading& met);

  // The row of `clocks` that times read so belong to; made if the newest is another. Every writer of such a time asks it, so that none can store
  // one without its clock.
  ClockId note_clock(const ClockReading& now);
  // The times that this clock has taken lie ahead of a clock that is right: its rows count from now on.
  void restart_clock(ClockId clock, const ClockReading& now);

  RowId insert_staged(const NewStaged& message);
  // The entry is about to be written there, and not where it was to be before.
  void set_entry(RowId id, const EntryPlace& entry);
  // A staged message is to be published in that mailstore.
  void set_mailstore(RowId id, RowId mailstore);
  // STAGED becomes PUBLISHED. `removable`: we stored it whole, so it may be deleted on the server.
  void record_published(RowId id, bool removable, const ClockReading& at);
  // PUBLISHED, but nobody saw the file: moved or deleted by the user. Never removable.
  void record_unverified(RowId id, const ClockReading& at);
  RowId insert_known(const NewKnown& message);
  // SEEN, with the file that was found to hold it. `removable`: beyond doubt, so it may be deleted on the server. Prints may be empty.
  void insert_found(const NewStaged& message, bool removable);
  // What went wrong with a message, and how often; of any row.
  void set_tries(RowId id, const std::string& reason, std::uint32_t tries);
  // A held message was tried at this time.
  void date_try(RowId id, const ClockReading& at);
  // The operator's word on a held message: try again from the start, or give it up for good.
  void retry_held(RowId id);
  void skip_held(RowId id);
  void erase_message(RowId id);
  // A staged message goes on under another file name.
  void rename_message(RowId id, const std::string& name);

  void set_list_size(RowId id, std::uint64_t list_size);
  // The server lists the message under another unique-id now. Everything else of the row stays, its age too.
  void rekey_message(RowId id, const pop3::UniqueId& uid, std::optional<std::uint64_t> list_size);
  void set_removable(RowId id, bool removable);
  void set_absent(RowId id, const std::optional<ClockReading>& since, std::uint64_t listing);
  // Doubt::none: its content was confirmed. Everything else makes the next session list the maildrop whole.
  void set_doubt(RowId id, Doubt doubt);
  // Every message of the account that has prints, or will have, as after an outage. What is in doubt of its own stays so.
  void doubt_all(std::string_view account);
  // A session ended over the TOP of this message.
  void mark_top_broke(RowId id);
  // Our DELE may have taken it: it is in doubt of its own.
  void mark_dele_sent(RowId id);
  void count_deletion(RowId id);

  void commit();

 private:
  friend class StateStore;
  explicit Transaction(StateStore::Impl& impl);
  void roll_back();
  struct Hold;
  std::unique_ptr<Hold> hold_;
};

}  // namespace popsync::state
