// SPDX-License-Identifier: MIT
// Seals, records and publishes batches of staged messages on a thread of its own, beside the socket: a slow disk does not stop the network, a slow
// network does not stop the disk. The order of its steps is the exactly-once algorithm (docs/durability.md, S2 to S6): sync the files, sync staging,
// COMMIT the intent, rename, sync new/ and then staging, COMMIT published. The last COMMIT of a batch rides in the first one of the next. Into an
// mbox (M2 to M9): lock, COMMIT the place of each entry, append, sync, COMMIT published, unlock.
//
// Killed anywhere, recovery finds either files that no row names (removed, fetched again), rows whose file is still in staging (published without
// fetching), or rows whose file has left staging (published). A message that cannot be synced is left out and ends the session after its batch; a
// folder that cannot be synced suspends the mailstore (suspension.h). Nothing is deleted on the server before its PUBLISHED row is committed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop_signal.h"
#include "pop3/types.h"
#include "state/state_store.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

// A message that is whole and proven, with its sync under way.
struct BatchEntry {
  std::unique_ptr<delivery::StagedMessage> message;
  pop3::ListingEntry listed;
  bool suspect = false;                // shorter than announced: kept on the server
  std::vector<state::RowId> replaces;  // rows that this message takes the place of
};
using Batch = std::vector<BatchEntry>;

struct Published {
  state::RowId row = 0;
  pop3::MessageNumber number;
  bool removable = false;
};

constexpr std::size_t kBatchesWaitingMax = 2;  // staged and not published: bounded, or a fast wire would fill the disk cache

enum class PublishOn {
  own_thread,
  caller,  // in submit() and finish(), in one order of steps: what fault tests want
};

class Publisher {
 public:
  // All must outlive the publisher; `mailstore.row.generation` counts on. `stop` ends waiting for an mbox that another program keeps locked, and
  // nothing else: what is whole is published all the same.
  Publisher(state::StateStore& store, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore, const StopSignal& stop,
            PublishOn on = PublishOn::own_thread);
  // Ends the thread after the batch at hand; batches that wait are dropped, their files removed. Does not throw.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Waits while too many batches do; throws what publishing threw.
  void submit(Batch batch);
  // No more batches will come. True when all is published and committed; false after `patience` (call again); throws what publishing threw.
  bool finish(std::chrono::milliseconds patience);
  // What was committed as PUBLISHED; complete after finish() returned true.
  [[nodiscard]] std::vector<Published> published() const;
  [[nodiscard]] std::uint64_t published_octets() const;

 private:
  struct Recorded;  // renamed and synced, the row still says STAGED

  void work();
  template <typename Step>
  void do_here(Step&& step);
  void publish(Batch batch);
  void rename_into_place(Batch batch);
  void move(const std::vector<Recorded>& recorded);
  void append(Batch batch);
  void suspend_if_it_fails(const std::function<void()>& work);
  [[noreturn]] void explain_vanished(const Recorded& recorded);
  static std::optional<Error> drop_unsynced(Batch& batch);
  void record_staged(Batch& batch, std::vector<Recorded>& out, const std::vector<state::EntryPlace>& places = {});
  void commit_pending();

  state::StateStore& store_;
  const Clock& clock_;
  const state::AccountRow& account_;
  OpenMailstore& mailstore_;
  const StopSignal& stop_;
  const PublishOn on_;

  mutable std::mutex mutex_;  // guards all below but pending_, which only the thread uses
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  bool ending_ = false;   // no more batches
  bool dropped_ = false;  // the owner is gone: leave what waits
  bool done_ = false;
  std::exception_ptr failure_;
  std::vector<Published> published_;
  std::uint64_t octets_ = 0;
  std::vector<Recorded> pending_;
  std::jthread thread_;
};

}  // namespace popsync::sync
