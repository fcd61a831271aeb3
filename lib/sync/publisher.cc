// SPDX-License-Identifier: MIT
#include "sync/publisher.h"

#include <utility>

#include "base/error.h"
#include "state/transaction.h"
#include "sync/mbox_recovery.h"
#include "sync/suspension.h"

namespace popsync::sync {
namespace {

constexpr std::chrono::seconds kLoneCommitAfter{1};  // a PUBLISHED commit waits so long for a batch to ride with

// Where the entries will stand, one behind the other; the padding counts to the first.
std::vector<state::EntryPlace> places_of(const Batch& batch, delivery::LockedMbox& mbox, const std::string& padding) {
  std::vector<state::EntryPlace> places;
  std::uint64_t offset = mbox.size();
  for (const BatchEntry& entry : batch) {
    const bool padded = places.empty() && !padding.empty();
    const delivery::EntryPrint print = padded ? mbox.print_of_staged(padding, entry.message->name()) : entry.message->entry();
    places.push_back({.offset = offset, .length = print.length, .sha256 = print.sha256});
    offset += print.length;
  }
  return places;
}

state::NewStaged row_of(const BatchEntry& entry, const state::AccountRow& account, state::RowId mailstore, const ClockReading& now) {
  const delivery::Prints& prints = entry.message->prints();
  return {.account = account.id,
          .mailstore = mailstore,
          .uid = entry.listed.uid,
          .list_size = entry.listed.list_size,
          .prints = {.wire_octets = entry.message->wire_octets(),
                     .stored_size = prints.stored_size,
                     .sha256 = prints.sha256,
                     .fingerprint = prints.fingerprint,
                     .header_hash = prints.header_hash,
                     .has_message_id = prints.has_message_id},
          .name = entry.message->name(),
          .suspect = entry.suspect,
          .at = now};
}

}  // namespace

struct Publisher::Recorded {
  Published published;
  std::uint64_t octets = 0;
  std::string name;
};

Publisher::Publisher(state::StateStore& store, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore, const StopSignal& stop,
                     PublishOn on)
    : store_(store), clock_(clock), account_(account), mailstore_(mailstore), stop_(stop), on_(on) {
  if (on_ == PublishOn::own_thread) thread_ = std::jthread([this] { work(); });
}

Publisher::~Publisher() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    dropped_ = true;
  }
  changed_.notify_all();
}

void Publisher::submit(Batch batch) {
  if (on_ == PublishOn::caller) return do_here([&] { publish(std::move(batch)); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kBatchesWaitingMax || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  waiting_.push_back(std::move(batch));
  changed_.notify_all();
}

bool Publisher::finish(std::chrono::milliseconds patience) {
  if (on_ == PublishOn::caller) {
    do_here([this] { commit_pending(); });
    return true;
  }
  std::unique_lock lock(mutex_);
  ending_ = true;
  changed_.notify_all();
  changed_.wait_for(lock, patience, [this] { return done_; });
  if (failure_) std::rethrow_exception(failure_);
  return done_;
}

std::vector<Published> Publisher::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

std::uint64_t Publisher::published_octets() const {
  const std::lock_guard lock(mutex_);
  return octets_;
}

// As with a thread, the first failure is the last step, and every later call throws it again.
template <typename Step>
void Publisher::do_here(Step&& step) {
  if (failure_) std::rethrow_exception(failure_);
  try {
    step();
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
}

void Publisher::work() {
  std::unique_lock lock(mutex_);
  try {
    while (!dropped_) {
      const auto ready = [this] { return ending_ || !waiting_.empty(); };
      if (pending_.empty()) {
        changed_.wait(lock, ready);
      } else {
        changed_.wait_for(lock, kLoneCommitAfter, ready);
      }
      if (dropped_) break;
      if (!waiting_.empty()) {
        Batch batch = std::move(waiting_.front());
        waiting_.pop_front();
        changed_.notify_all();
        lock.unlock();
        publish(std::move(batch));
        lock.lock();
        continue;
      }
      const bool last = ending_;
      lock.unlock();
      commit_pending();
      lock.lock();
      if (last && waiting_.empty()) break;
    }
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    failure_ = std::current_exception();
    waiting_.clear();
  }
  done_ = true;
  changed_.notify_all();
}

void Publisher::publish(Batch batch) {
  // S2. What could not be synced leaves the batch and is removed; the rest goes on.
  const std::optional<Error> unsynced = drop_unsynced(batch);
  sync_or_suspend(store_, account_, mailstore_, [this] { mailstore_.staging().sync(); });
  if (!unsynced) mailstore_.row.sync_failures = 0;
  if (mailstore_.mbox && !batch.empty()) {
    append(std::move(batch));
  } else if (!batch.empty()) {
    rename_into_place(std::move(batch));
  }
  if (!unsynced) return;
  commit_pending();
  give_up_unsynced(store_, account_, mailstore_, *unsynced);
}

void Publisher::rename_into_place(Batch batch) {
  // S3. From here on the rows speak for the files.
  std::vector<Recorded> recorded;
  record_staged(batch, recorded);
  move(recorded);
  const std::uint64_t generation = mailstore_.row.generation + 1;
  mailstore_.maildir->staging().set_generation(generation);
  sync_or_suspend(store_, account_, mailstore_, [this] { mailstore_.maildir->staging().sync(); });
  mailstore_.row.generation = generation;
  pending_ = std::move(recorded);
}

// S4, and the first part of S5. The order of the two directory syncs matters: without a journal the other one could leave the file in neither.
void Publisher::move(const std::vector<Recorded>& recorded) {
  const Recorded* vanished = nullptr;
  std::optional<Error> unsynced;
  {
    const auto alone = mailstore_.maildir->hold_other_syncs();
    for (const Recorded& each : recorded) {
      if (!mailstore_.maildir->publish(each.name)) {
        vanished = &each;
        break;
      }
    }
    try {
      if (vanished == nullptr) mailstore_.maildir->sync_new();
    } catch (const Error& error) {
      unsynced = error;
    }
  }
  if (vanished != nullptr) explain_vanished(*vanished);
  if (unsynced) suspend(store_, account_, mailstore_, *unsynced);
}

// Takes out the messages whose sync failed; their files are removed, never synced or read again. Returns the first failure.
std::optional<Error> Publisher::drop_unsynced(Batch& batch) {
  std::optional<Error> first;
  std::erase_if(batch, [&](BatchEntry& entry) {
    try {
      entry.message->wait_synced();
      return false;
    } catch (const Error& error) {
      if (!first) first = error;
      return true;
    }
  });
  return first;
}

void Publisher::append(Batch batch) {
  std::vector<Recorded> recorded;
  suspend_if_it_fails([this] { cut_torn_ends_of_others(store_, account_, mailstore_, stop_); });
  {
    // M2 to M4
    delivery::LockedMbox mbox = mailstore_.mbox->lock(stop_);
    const std::string padding = mbox.padding();
    // M5. From here on the rows say where our octets are.
    record_staged(batch, recorded, places_of(batch, mbox, padding));
    std::vector<std::string> names;
    for (const Recorded& each : recorded) names.push_back(each.name);
    // M6, M7
    suspend_if_it_fails([&] { mbox.append(padding, names); });
    // M8, still locked: until it is committed no reader may move what the rows point to.
    pending_ = recorded;
    commit_pending();
  }
  // M9
  for (const Recorded& each : recorded) mailstore_.staging().remove(each.name);
}

// Somebody took the file out of our folder between our sync and our rename. If nobody put it into new/ or cur/, it is not delivered: the row goes,
// and the message is fetched again.
void Publisher::explain_vanished(const Recorded& recorded) {
  const std::vector<std::string> wanted = {recorded.name};
  if (!mailstore_.maildir->published_names(wanted).contains(recorded.name)) {
    auto transaction = store_.begin();
    transaction.erase_message(recorded.published.row);
    transaction.commit();
  }
  throw Error(ErrorCode::io_error, "a staged file vanished before it was published: " + recorded.name, "does a cleaner empty tmp/.popsync?");
}

// An entry cannot be copied to a file that had no part in the failed write, as a message of a Maildir is. Recovery, which finds its row STAGED and
// the mailstore suspended, keeps it on the server for good.
void Publisher::suspend_if_it_fails(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io_error) throw;
    suspend(store_, account_, mailstore_, error);
  }
}

void Publisher::record_staged(Batch& batch, std::vector<Recorded>& out, const std::vector<state::EntryPlace>& places) {
  auto transaction = store_.begin();
  const ClockReading now = clock_.reading();
  std::uint64_t octets = 0;
  for (const Recorded& each : pending_) {
    transaction.record_published(each.published.row, each.published.removable, now);
    octets += each.octets;
  }
  if (!pending_.empty()) {
    transaction.set_generation(mailstore_.row.id, mailstore_.row.generation);
    transaction.set_sync_failures(mailstore_.row.id, mailstore_.row.sync_failures);
    transaction.add_delivered(account_.id, pending_.size(), octets);
  }
  for (const BatchEntry& entry : batch) {
    for (const state::RowId row : entry.replaces) transaction.erase_message(row);
    state::NewStaged staged = row_of(entry, account_, mailstore_.row.id, now);
    if (!places.empty()) staged.entry = places.at(out.size());
    const state::RowId row = transaction.insert_staged(staged);
    out.push_back({.published = {.row = row, .number = entry.listed.number, .removable = !entry.suspect},
                   .octets = entry.message->prints().stored_size,
                   .name = entry.message->name()});
  }
  // Kept before COMMIT, not after: should its outcome be unknown, no file may go that a row might name.
  for (BatchEntry& entry : batch) entry.message->keep();
  try {
    transaction.commit();
  } catch (const Error&) {
    for (BatchEntry& entry : batch) entry.message->release();  // known not to be committed: a full disk is not kept full
    throw;
  }
  const std::lock_guard lock(mutex_);
  for (const Recorded& each : pending_) published_.push_back(each.published);
  octets_ += octets;
  pending_.clear();
}

void Publisher::commit_pending() {
  if (pending_.empty()) return;
  Batch none;
  std::vector<Recorded> nothing;
  record_staged(none, nothing);
}

}  // namespace popsync::sync
