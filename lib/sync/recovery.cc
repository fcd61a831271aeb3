// SPDX-License-Identifier: MIT
#include "sync/recovery.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "delivery/maildir_name.h"
#include "delivery/mbox_settling.h"
#include "state/transaction.h"
#include "sync/earlier_mailstores.h"
#include "sync/mbox_recovery.h"
#include "sync/message_warnings.h"
#include "sync/suspension.h"

namespace popsync::sync {
namespace {

using state::StagedRow;

struct Orphan {
  std::string name;
  std::optional<state::StateStore::Stored> published;  // the row that names it
};

class Recovery {
 public:
  Recovery(state::StateStore& store, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore, std::vector<StagedRow> rows)
      : store_(store), clock_(clock), account_(account), mailstore_(mailstore), rows_(std::move(rows)), warnings_(account.name) {}

  Recovered run() {
    const auto names = mailstore_.maildir->staging().names();
    doubtful_ = in_doubt(mailstore_);
    if (!doubtful_ && rows_.empty() && names.empty()) return result_;
    staged_ = {names.begin(), names.end()};
    find_orphans();
    scan();
    sweep_orphans();
    for (const StagedRow& row : rows_) settle(row);
    publish();
    if (doubtful_) end_suspension(store_, account_, mailstore_, ready_.size() + found_.size());
    warnings_.tell_rest();
    return result_;
  }

 private:
  using Place = delivery::Maildir::Place;
  using Renewal = delivery::Maildir::Renewal;

  // One of the four cases: in staging or not, in new/ or cur/ or not.
  void settle(const StagedRow& row) {
    const bool staged = staged_.contains(row.name);
    const auto place = published_.find(row.name);
    if (staged && place == published_.end()) {
      if (whole(row)) {
        ready_.push_back(row);
      } else {
        if (warnings_.admits(MessageTrouble::damaged)) {
          log_warning(account_.name, "a staged message was damaged by a crash; it is fetched again: " + row.name);
        }
        drop(row);
      }
    } else if (!staged && place != published_.end()) {
      settle_found(row, place->second);
    } else if (!staged) {
      // Renamed out of staging, which only we do, so it was in new/; a reader moved or deleted it since.
      missing_.push_back(row);
    } else {
      settle_twofold(row, place->second);
    }
  }

  // After a failed sync what is here counts only as a fresh copy: it was never in the write that failed.
  bool whole(const StagedRow& row) {
    if (doubtful_) return mailstore_.maildir->renew_staged(row.name, row.sha256);
    return mailstore_.maildir->staging().sha256_of(row.name) == row.sha256;
  }

  void drop(const StagedRow& row) {
    // The row goes first: a row without its file would read as "published, then deleted by the user".
    forget(row);
    mailstore_.maildir->staging().remove(row.name);
  }

  void forget(const StagedRow& row) {
    auto transaction = store_.begin();
    transaction.erase_message(row.id);
    transaction.commit();
    ++result_.dropped;
  }

  void scan() {
    std::vector<std::string> wanted;
    for (const StagedRow& row : rows_) {
      if (!staged_.contains(row.name)) wanted.push_back(row.name);
    }
    for (const Orphan& orphan : orphans_) {
      if (orphan.published) wanted.push_back(orphan.name);
    }
    published_ = mailstore_.maildir->published_names(wanted);
  }

  void settle_found(const StagedRow& row, Place place) {
    if (!doubtful_) return found_.push_back(row);
    for (int look = 0; look < delivery::kScansMax; ++look) {
      switch (mailstore_.maildir->renew_published(row.name, place, row.sha256)) {
        case Renewal::done: return found_.push_back(row);
        case Renewal::damaged:
          log_error(account_.name, "a stored message was damaged when the disk failed; it is left alone and fetched again: " + row.name);
          return drop(row);  // its name may be in staging, too
        case Renewal::moved: break;
      }
      const std::vector<std::string> wanted = {row.name};
      const auto places = mailstore_.maildir->published_names(wanted);
      const auto found = places.find(row.name);
      if (found == places.end()) break;
      place = found->second;
    }
    missing_.push_back(row);
  }

  void settle_twofold(const StagedRow& row, const Place& place) {
    if (mailstore_.maildir->same_file(row.name, place)) {
      if (doubtful_) return settle_found(row, place);  // which puts the published one in the place of the staged one
      sync([this] {
        mailstore_.maildir->sync_new();
        mailstore_.maildir->sync_cur();
      });
      mailstore_.maildir->staging().remove(row.name);
      return settle_found(row, place);
    }
    // Somebody put another file under our name. Theirs stays, ours gets another name: a copy, whose name the row takes before the old one goes, so
    // that a crash at any point leaves the row with a file of ours, and never with theirs.
    delivery::StagingFolder& staging = mailstore_.maildir->staging();
    StagedRow renamed = row;
    renamed.name = delivery::make_name_like(clock_, row.name);
    if (!staging.copy(staging.dir(), row.name, renamed.name, row.sha256)) {
      log_error(account_.name, "another file carries the name of a damaged staged message, which is fetched again: " + row.name);
      return drop(row);
    }
    sync([&] { staging.sync(); });
    auto transaction = store_.begin();
    transaction.rename_message(row.id, renamed.name);
    transaction.commit();
    staging.remove(row.name);
    log_error(account_.name, "another file carries the name of a staged message; it is left alone, ours is stored as " + renamed.name);
    ready_.push_back(renamed);
  }

  void sync(const std::function<void()>& work) { sync_or_suspend(store_, account_, mailstore_, work); }

  // S4 to S6 for what is whole, S5 and S6 for what was found.
  void publish() {
    if (ready_.empty() && found_.empty() && missing_.empty()) return;
    std::erase_if(ready_, [&](const StagedRow& row) { return !publish_one(row); });
    sync([this] {
      mailstore_.maildir->sync_new();
      if (!found_.empty()) mailstore_.maildir->sync_cur();
    });
    const std::uint64_t generation = mailstore_.row.generation + 1;
    mailstore_.maildir->staging().set_generation(generation);
    sync([this] { mailstore_.maildir->staging().sync(); });
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
        transaction.record_published(row.id, !row.suspect, clock_.reading());
        octets += row.stored_size;
      }
    }
    for (const StagedRow& row : missing_) transaction.record_unverified(row.id, clock_.reading());
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

  // Files that no staged row names: of a crash before the rows were committed, or after a rename that a power cut undid.
  void find_orphans() {
    std::unordered_set<std::string> rows;
    for (const StagedRow& row : rows_) rows.insert(row.name);
    for (const std::string& name : staged_) {
      if (!rows.contains(name)) orphans_.push_back({.name = name, .published = store_.find_published(mailstore_.row.id, name)});
    }
  }

  // Before anything is written: on a full disk this is what makes room.
  void sweep_orphans() {
    if (orphans_.empty()) return;
    bool republished = false;
    for (const Orphan& orphan : orphans_) {
      // One that had left both folders before was moved or deleted by the user, and a power cut brings back only what they did away with.
      if (orphan.published && !orphan.published->unverified && !published_.contains(orphan.name)) {
        republished = republish(orphan) || republished;
      } else {
        mailstore_.maildir->staging().remove(orphan.name);
        ++result_.dropped;
      }
    }
    // new/ first, also for what a killed process moved there: the names may not be gone from staging before they are safe there.
    sync([&] {
      if (republished || !published_.empty()) mailstore_.maildir->sync_new();
      mailstore_.maildir->staging().sync();
    });
  }

  // False if the file is not what was published. It may be the only copy all the same, so the server's stays for good.
  bool republish(const Orphan& orphan) {
    const bool whole = doubtful_ ? mailstore_.maildir->renew_staged(orphan.name, orphan.published->sha256)
                                 : mailstore_.maildir->staging().sha256_of(orphan.name) == orphan.published->sha256;
    if (whole) {
      log_error(account_.name, "a published message had come back into staging (was the disk restored?); it is published again: " + orphan.name);
      mailstore_.maildir->publish(orphan.name);
      return true;
    }
    log_error(account_.name, "a published message had come back into staging, damaged; it is removed and stays on the server: " + orphan.name);
    auto transaction = store_.begin();
    transaction.record_unverified(orphan.published->id, clock_.reading());
    transaction.commit();
    mailstore_.maildir->staging().remove(orphan.name);
    ++result_.dropped;
    return false;
  }

  state::StateStore& store_;
  const Clock& clock_;
  const state::AccountRow& account_;
  OpenMailstore& mailstore_;
  std::vector<StagedRow> rows_;
  MessageWarnings warnings_;
  bool doubtful_ = false;  // a sync failed here: nothing counts that is not copied
  std::unordered_set<std::string> staged_;
  std::vector<Orphan> orphans_;
  std::unordered_map<std::string, delivery::Maildir::Place> published_;
  std::vector<StagedRow> ready_;    // whole, in staging
  std::vector<StagedRow> found_;    // in new/ or cur/
  std::vector<StagedRow> missing_;  // in neither
  Recovered result_;
};

Recovered settle_mbox(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore,
                      std::vector<StagedRow> rows, const StopSignal& stop) {
  const bool doubtful = in_doubt(mailstore);
  // What was appended cannot be copied to a file without a past: it stays on the server for good.
  for (StagedRow& row : rows) row.suspect = row.suspect || doubtful;
  Recovered result;
  try {
    result = recover_mbox(store, fs, clock, account, mailstore, std::move(rows), stop);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io_error) throw;
    suspend(store, account, mailstore, error);
  }
  if (doubtful) end_suspension(store, account, mailstore, 0);
  return result;
}

Recovered settle_one(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore& mailstore,
                     std::vector<StagedRow> rows, const StopSignal& stop) {
  if (mailstore.mbox) return settle_mbox(store, fs, clock, account, mailstore, std::move(rows), stop);
  return Recovery(store, clock, account, mailstore, std::move(rows)).run();
}

// The account has left this mailstore and nothing is staged for it: nothing is in doubt. It may be gone, so it is not looked at; should the account
// come back while the kernel's memory is false, the mark in its staging folder tells.
void end_idle_suspension(state::StateStore& store, state::RowId mailstore) {
  auto transaction = store.begin();
  transaction.resume(mailstore);
  transaction.commit();
}

// An mbox is known by its path alone. Where that is gone, nobody can tell what became of it: what was to be written there is looked for by its marker
// in the mbox of today, and else appended to it.
void take_over_from_gone_mboxes(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& current) {
  std::vector<StagedRow> rows = store.staged(account.id);
  for (const state::MailstoreRow& row : store.mailstores(account.id)) {
    const bool stays = row.id == current.id || row.kind != state::MailstoreKind::mbox || mbox_is_there(fs, row.path);
    if (stays) std::erase_if(rows, [&](const StagedRow& staged) { return staged.mailstore == row.id; });
  }
  if (rows.empty()) return;
  auto transaction = store.begin();
  for (const StagedRow& row : rows) {
    transaction.set_mailstore(row.id, current.id);
    transaction.set_entry(row.id, {.offset = delivery::kNoPlace, .length = row.entry.length, .sha256 = row.entry.sha256});
  }
  transaction.commit();
  log_info(account.name, "an mbox of earlier is gone; " + counted(rows.size(), "message") + " that were to go there go to " + escaped(current.path));
}

// find_mailstore() has made sure that there will be one.
bool waits_for_new_mbox(Fs& fs, const state::MailstoreRow& row, const OpenMailstore* current) {
  return current == nullptr && row.kind == state::MailstoreKind::mbox && !mbox_is_there(fs, row.path);
}

void add(Recovered& sum, const Recovered& part) {
  sum.published += part.published;
  sum.unverified += part.unverified;
  sum.dropped += part.dropped;
}

}  // namespace

Recovered recover(state::StateStore& store, Fs& fs, const Clock& clock, const state::AccountRow& account, OpenMailstore* current,
                  const StopSignal& stop) {
  Recovered sum;
  if (current != nullptr && current->mbox) take_over_from_gone_mboxes(store, fs, account, current->row);
  std::vector<StagedRow> all = store.staged(account.id);
  const auto take = [&](state::RowId mailstore) {
    std::vector<StagedRow> rows;
    std::ranges::copy_if(all, std::back_inserter(rows), [&](const StagedRow& row) { return row.mailstore == mailstore; });
    return rows;
  };
  for (const state::MailstoreRow& row : store.mailstores(account.id)) {
    if (current != nullptr && row.id == current->row.id) {
      add(sum, settle_one(store, fs, clock, account, *current, take(row.id), stop));
    } else if (auto rows = take(row.id); !rows.empty()) {
      if (waits_for_new_mbox(fs, row, current)) continue;
      OpenMailstore other = open_earlier(store, fs, account, row);
      take_into_use(store, fs, account, other);
      add(sum, settle_one(store, fs, clock, account, other, std::move(rows), stop));
    } else if (!row.suspended.empty()) {
      end_idle_suspension(store, row.id);
    }
  }
  return sum;
}

}  // namespace popsync::sync
