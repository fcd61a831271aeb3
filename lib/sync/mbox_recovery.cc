// SPDX-License-Identifier: MIT
#include "sync/mbox_recovery.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "delivery/mbox_settling.h"
#include "state/transaction.h"
#include "sync/message_warnings.h"

namespace popsync::sync {
namespace {

using delivery::EntryFate;
using state::StagedRow;

// In the order of their offsets, as `rows` are afterwards.
std::vector<delivery::PendingEntry> entries_of(std::vector<StagedRow>& rows) {
  std::ranges::sort(rows, {}, [](const StagedRow& row) { return row.entry.offset; });
  std::vector<delivery::PendingEntry> entries;
  for (const StagedRow& row : rows) {
    entries.push_back({.name = row.name, .offset = row.entry.offset, .length = row.entry.length, .sha256 = row.entry.sha256});
  }
  return entries;
}

std::vector<delivery::PendingEntry> pending_in(state::StateStore& store, const std::string& account, const std::string& path) {
  const auto mailstores = store.mailstores(account);
  const auto mbox = std::ranges::find(mailstores, path, &state::MailstoreRow::path);
  if (mbox == mailstores.end() || mbox->kind != state::MailstoreKind::mbox) return {};
  std::vector<StagedRow> rows = store.staged(account);
  std::erase_if(rows, [&](const StagedRow& row) { return row.mailstore != mbox->id; });
  return entries_of(rows);
}

class MboxRecovery {
 public:
  MboxRecovery(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore,
               std::vector<StagedRow> rows, const StopSignal& stop)
      : store_(store),
        fs_(fs),
        clock_(clock),
        account_(account),
        mailstore_(mailstore),
        rows_(std::move(rows)),
        stop_(stop),
        warnings_(account.name) {}

  Recovered run() {
    // Files in staging without rows are of one who was killed before or after its COMMIT, perhaps with the locks in its hand. Taking them over
    // removes the dot lock of the dead, for which other programs would wait.
    if (!rows_.empty() || !mailstore_.staging().names().empty()) {
      cut_torn_ends_of_others(store_, account_, mailstore_, stop_);
      delivery::LockedMbox mbox = mailstore_.mbox->lock(stop_);
      if (!rows_.empty()) settle_under(mbox);
    }
    sweep();
    warnings_.tell_rest();
    return result_;
  }

 private:
  void settle_under(delivery::LockedMbox& mbox) {
    settle(mbox);
    complete(mbox);
    record();
  }

  void settle(delivery::LockedMbox& mbox) {
    const std::vector<EntryFate> fates = delivery::settle(fs_, mbox, mailstore_.staging(), entries_of(rows_));
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      switch (fates[i]) {
        case EntryFate::appended: found_.push_back(rows_[i]); break;
        case EntryFate::altered:
          if (warnings_.admits(MessageTrouble::altered)) {
            log_error(account_.name, "a message in the mbox is not as it was written and is left alone; it is appended again: " + rows_[i].name);
          }
          missing_.push_back(rows_[i]);
          break;
        case EntryFate::absent: missing_.push_back(rows_[i]); break;
        case EntryFate::lost: drop(rows_[i]); break;
      }
    }
  }

  void drop(const StagedRow& row) {
    if (warnings_.admits(MessageTrouble::damaged)) {
      log_warning(account_.name, "a staged message was damaged or removed; it is fetched again: " + row.name);
    }
    auto transaction = store_.begin();
    transaction.erase_message(row.id);
    transaction.commit();
    ++result_.dropped;
  }

  void complete(delivery::LockedMbox& mbox) {
    append(mbox);
    // A kill between writing and syncing leaves what others can read and a power cut can still take.
    if (!found_.empty()) mbox.make_durable();
  }

  // M4 to M7: their new places are committed before anything is written there.
  void append(delivery::LockedMbox& mbox) {
    if (missing_.empty()) return;
    const std::string padding = mbox.padding();
    std::uint64_t offset = mbox.size();
    std::vector<std::string> names;
    for (StagedRow& row : missing_) {
      const delivery::EntryPrint print = mbox.print_of_staged(names.empty() ? padding : "", row.name);
      row.entry = {.offset = offset, .length = print.length, .sha256 = print.sha256};
      offset += print.length;
      names.push_back(row.name);
    }
    auto transaction = store_.begin();
    for (const StagedRow& row : missing_) transaction.set_entry(row.id, row.entry);
    transaction.commit();
    mbox.append(padding, names);
  }

  void record() {
    std::uint64_t octets = 0;
    auto transaction = store_.begin();
    for (const auto* rows : {&found_, &missing_}) {
      for (const StagedRow& row : *rows) {
        transaction.record_published(row.id, !row.suspect, clock_.reading());
        octets += row.stored_size;
      }
    }
    result_.published = found_.size() + missing_.size();
    transaction.add_delivered(account_.id, result_.published, octets);
    transaction.commit();
  }

  // What no row waits for: published, or staged and never recorded.
  void sweep() {
    std::unordered_set<std::string> waiting;
    for (const StagedRow& row : store_.staged(account_.id)) waiting.insert(row.name);
    bool removed = false;
    for (const std::string& name : mailstore_.staging().names()) {
      if (waiting.contains(name)) continue;
      removed = mailstore_.staging().remove(name) || removed;
    }
    if (removed) mailstore_.staging().sync();
  }

  state::StateStore& store_;
  Fs& fs_;
  const Clock& clock_;
  const state::AccountRow& account_;
  OpenMailstore& mailstore_;
  std::vector<StagedRow> rows_;
  const StopSignal& stop_;
  MessageWarnings warnings_;
  std::vector<StagedRow> found_;    // whole in the mbox
  std::vector<StagedRow> missing_;  // to be appended
  Recovered result_;
};

}  // namespace

Recovered recover_mbox(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore,
                       std::vector<StagedRow> rows, const StopSignal& stop) {
  return MboxRecovery(store, fs, clock, account, mailstore, std::move(rows), stop).run();
}

void cut_torn_ends_of_others(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const StopSignal& stop) {
  const std::string& path = mailstore.row.path;
  const auto all = store.mailstores();
  if (std::ranges::count(all, path, &state::MailstoreRow::path) < 2) return;
  for (const state::AccountRow& other : store.accounts()) {
    if (other.id == account.id || pending_in(store, other.id, path).empty()) continue;
    delivery::Mbox theirs = mailstore.mbox->of_account(other.id);
    delivery::LockedMbox locked = theirs.lock(stop);
    // Looked at again: while we waited for the locks, it may have written to the end or come back to life.
    delivery::cut_torn_end(theirs.fs(), locked, theirs.staging(), pending_in(store, other.id, path));
  }
}

}  // namespace popsync::sync
