// SPDX-License-Identifier: MIT
#include "sync/recovery.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/mbox_recovery.h"

namespace popsync::sync {
namespace {

using state::StagedRow;

class Recovery {
 public:
  Recovery(state::StateStore& store, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore, std::vector<StagedRow> rows)
      : store_(store), clock_(clock), account_(account), mailstore_(mailstore), rows_(std::move(rows)) {}

  Recovered run() {
    const auto names = mailstore_.maildir->staging().names();
    if (rows_.empty() && names.empty()) return result_;
    staged_ = {names.begin(), names.end()};
    scan();
    for (const StagedRow& row : rows_) settle(row);
    publish();
    sweep_orphans();
    return result_;
  }

 private:
  // One of the four cases: in staging or not, in new/ or cur/ or not.
  void settle(const StagedRow& row) {
    const bool staged = staged_.contains(row.name);
    const auto place = published_.find(row.name);
    if (staged && place == published_.end()) {
      if (whole(row)) {
        ready_.push_back(row);
      } else {
        log_warning(account_.name, "a staged message was damaged by a crash; it is fetched again: " + row.name);
        drop(row);
      }
    } else if (!staged && place != published_.end()) {
      found_.push_back(row);
    } else if (!staged) {
      // Renamed out of staging, which only we do, so it was in new/; a reader moved or deleted it since.
      missing_.push_back(row);
    } else {
      settle_twofold(row, place->second);
    }
  }

  bool whole(const StagedRow& row) { return mailstore_.maildir->staging().sha256_of(row.name) == row.sha256; }

  void drop(const StagedRow& row) {
    // The row goes first: a row without its file would read as "published, then deleted by the user".
    auto transaction = store_.begin();
    transaction.erase_message(row.id);
    transaction.commit();
    mailstore_.maildir->staging().remove(row.name);
    ++result_.dropped;
  }

  void scan() {
    std::vector<std::string> wanted;
    for (const StagedRow& row : rows_) {
      if (!staged_.contains(row.name)) wanted.push_back(row.name);
    }
    published_ = mailstore_.maildir->published_names(wanted);
  }

  void settle_twofold(const StagedRow& row, const delivery::Maildir::Place& place) {
    if (mailstore_.maildir->same_file(row.name, place)) {
      mailstore_.maildir->sync_new();
      mailstore_.maildir->sync_cur();
      mailstore_.maildir->staging().remove(row.name);
      found_.push_back(row);
      return;
    }
    // Somebody put another file under our name. Theirs stays; ours was never deleted on the server and is fetched again under a fresh name.
    log_error(account_.name, "another file carries the name of a staged message; it is left alone: " + row.name);
    drop(row);
  }

  // S4 to S6 for what is whole, S5 and S6 for what was found.
  void publish() {
    if (ready_.empty() && found_.empty() && missing_.empty()) return;
    std::erase_if(ready_, [&](const StagedRow& row) { return !publish_one(row); });
    mailstore_.maildir->sync_new();
    if (!found_.empty()) mailstore_.maildir->sync_cur();
    const std::uint64_t generation = mailstore_.row.generation + 1;
    mailstore_.maildir->staging().set_generation(generation);
    mailstore_.maildir->staging().sync();
    record(generation);
    mailstore_.row.generation = generation;
  }

  // False if the file vanished between our look and our rename: it was not delivered, and its message is fetched again.
  bool publish_one(const StagedRow& row) {
    if (mailstore_.maildir->publish(row.name)) return true;
    log_error(account_.name, "a staged file vanished before it was published; its message is fetched again: " + row.name);
    auto transaction = store_.begin();
    transaction.erase_message(row.id);
    transaction.commit();
    ++result_.dropped;
    return false;
  }

  void record(std::uint64_t generation) {
    std::uint64_t octets = 0;
    auto transaction = store_.begin();
    for (const auto* rows : {&ready_, &found_}) {
      for (const StagedRow& row : *rows) {
        transaction.record_published(row.id, !row.suspect, clock_.wall());
        octets += row.stored_size;
      }
    }
    for (const StagedRow& row : missing_) transaction.record_unverified(row.id, clock_.wall());
    transaction.set_generation(mailstore_.row.id, generation);
    transaction.add_delivered(account_.id, ready_.size() + found_.size(), octets);
    transaction.commit();
    result_.published = ready_.size() + found_.size();
    result_.unverified = missing_.size();
    if (result_.unverified > 0) {
      log_warning(account_.name, counted(result_.unverified, "message") +
                                     " published before the crash and since moved or deleted; never deleted on the server; `popsync verify " +
                                     account_.name + "` lists them");
    }
  }

  // Files that no staged row names: a crash before the rows were committed, or after a rename that a power cut undid.
  void sweep_orphans() {
    std::vector<std::string> orphans = mailstore_.maildir->staging().names();
    if (orphans.empty()) return;
    const auto recorded_names = store_.published_names(mailstore_.row.id);
    const std::unordered_set<std::string> recorded(recorded_names.begin(), recorded_names.end());
    bool republished = false;
    for (const std::string& name : orphans) {
      if (recorded.contains(name) && !published_.contains(name)) {
        log_error(account_.name, "a published message had come back into staging (was the disk restored?); it is published again: " + name);
        mailstore_.maildir->publish(name);
        republished = true;
      } else {
        mailstore_.maildir->staging().remove(name);
        ++result_.dropped;
      }
    }
    if (republished) mailstore_.maildir->sync_new();
    mailstore_.maildir->staging().sync();
  }

  state::StateStore& store_;
  const Clock& clock_;
  const state::AccountRow& account_;
  OpenMailstore& mailstore_;
  std::vector<StagedRow> rows_;
  std::unordered_set<std::string> staged_;
  std::unordered_map<std::string, delivery::Maildir::Place> published_;
  std::vector<StagedRow> ready_;    // whole, in staging
  std::vector<StagedRow> found_;    // in new/ or cur/
  std::vector<StagedRow> missing_;  // in neither
  Recovered result_;
};

Recovered settle_one(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore,
                     std::vector<StagedRow> rows) {
  if (mailstore.mbox) return recover_mbox(store, fs, clock, account, mailstore, std::move(rows));
  return Recovery(store, clock, account, mailstore, std::move(rows)).run();
}

void add(Recovered& sum, const Recovered& part) {
  sum.published += part.published;
  sum.unverified += part.unverified;
  sum.dropped += part.dropped;
}

}  // namespace

Recovered recover(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore* current) {
  Recovered sum;
  std::vector<StagedRow> all = store.staged(account.id);
  const auto take = [&](state::RowId mailstore) {
    std::vector<StagedRow> rows;
    std::ranges::copy_if(all, std::back_inserter(rows), [&](const StagedRow& row) { return row.mailstore == mailstore; });
    return rows;
  };
  for (const state::MailstoreRow& row : store.mailstores(account.id)) {
    if (current != nullptr && row.id == current->row.id) {
      add(sum, settle_one(store, fs, clock, account, *current, take(row.id)));
    } else if (auto rows = take(row.id); !rows.empty()) {
      OpenMailstore other = open_mailstore(store, fs, account, {.path = row.path, .kind = row.kind});
      add(sum, settle_one(store, fs, clock, account, other, std::move(rows)));
    }
  }
  return sum;
}

}  // namespace popsync::sync
