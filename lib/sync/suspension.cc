// SPDX-License-Identifier: MIT
#include "sync/suspension.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/escape.h"
#include "base/folders.h"
#include "base/format.h"
#include "base/log.h"
#include "state/transaction.h"

namespace popsync::sync {
namespace {

bool on_the_same_disk(OpenMailstore& mailstore, const state::MailstoreRow& row) {
  try {
    return mailstore.shares_device(row.kind == state::MailstoreKind::mbox ? folder_of(row.path) : row.path);
  } catch (const Error& error) {
    log_debug("", error.what());  // a folder that cannot be looked at now; its own account will find out
    return false;
  }
}

// Of every account: what one of them cannot sync, the others cannot either.
std::vector<state::RowId> mailstores_on_the_same_disk(state::StateStore& store, OpenMailstore& mailstore) {
  std::vector<state::RowId> rows = {mailstore.row.id};
  for (const state::MailstoreRow& row : store.mailstores()) {
    if (row.id == mailstore.row.id) continue;
    if (row.path == mailstore.row.path || on_the_same_disk(mailstore, row)) rows.push_back(row.id);
  }
  return rows;
}

}  // namespace

void sync_or_suspend(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    suspend(store, account, mailstore, error);
  }
}

void suspend(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const Error& cause) {
  const std::string reason = "the disk of " + escaped(mailstore.row.path) + " failed to sync: " + cause.message();
  // First of all, while this process lives: should the state not take it, or its COMMIT end the process, the folder tells.
  try {
    mailstore.staging().distrust_disk();
  } catch (const Error& error) {
    log_debug(account.name, error.what());
  }
  const auto rows = mailstores_on_the_same_disk(store, mailstore);
  store.suspend(rows, reason);
  mailstore.row.suspended = reason;
  log_error(account.name, counted(rows.size(), "mailstore") + " suspended, nothing is fetched or deleted there: " + reason);
  throw Error(cause.code() == ErrorCode::disk_full ? ErrorCode::disk_full : ErrorCode::io_error, "mailstore suspended: " + reason,
              suspension_hint(account.name));
}

bool in_doubt(OpenMailstore& mailstore) { return !mailstore.row.suspended.empty() || !mailstore.staging().trusts_disk(); }

void end_suspension(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, std::size_t copied) {
  sync_or_suspend(store, account, mailstore, [&] {
    mailstore.staging().prove_sync();
    // Staging of an mbox lies in the state, perhaps on another disk.
    if (mailstore.mbox) {
      (void)mailstore.can_sync();
    } else {
      mailstore.maildir->sync_new();
      mailstore.maildir->sync_cur();
    }
  });
  auto transaction = store.begin();
  transaction.resume(mailstore.row.id);
  transaction.commit();
  mailstore.staging().trust_disk();
  sync_or_suspend(store, account, mailstore, [&] { mailstore.staging().sync(); });
  // A folder that was never trusted (of an older popsync, or without power at its making) was not suspended: nothing to tell.
  const bool was_told = !mailstore.row.suspended.empty();
  mailstore.row.suspended.clear();
  mailstore.row.sync_failures = 0;
  if (!was_told && copied == 0) return;
  log_info(account.name, "the disk of " + escaped(mailstore.row.path) + " syncs again, the suspension is over; " + counted(copied, "message") +
                             " copied to fresh files");
}

void give_up_unsynced(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore, const Error& cause) {
  if (cause.code() == ErrorCode::disk_full) throw Error(cause.code(), cause.message(), cause.hint());  // space comes back
  const std::uint32_t failures = mailstore.row.sync_failures + 1;
  if (failures >= kSyncFailuresMax) suspend(store, account, mailstore, cause);
  auto transaction = store.begin();
  transaction.set_sync_failures(mailstore.row.id, failures);
  transaction.commit();
  mailstore.row.sync_failures = failures;
  throw Error(ErrorCode::io_error, "a message could not be synced and was removed: " + cause.message(),
              "the next session fetches it again into a new file; look at the disk of " + escaped(mailstore.row.path) + ", is it failing?");
}

void refuse_suspended(state::StateStore& store, const state::AccountRow& account, const OpenMailstore& mailstore) {
  const auto rows = store.mailstores(account.id);
  const auto row = std::ranges::find(rows, mailstore.row.id, &state::MailstoreRow::id);
  if (row == rows.end() || row->suspended.empty()) return;
  throw Error(ErrorCode::io_error, "mailstore suspended: " + row->suspended, suspension_hint(account.name));
}

void refuse_undurable_deletion(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore) {
  bool can_sync = false;
  sync_or_suspend(store, account, mailstore, [&] { can_sync = mailstore.can_sync(); });
  if (can_sync) return;
  throw Error(ErrorCode::configuration,
              "the file system of " + escaped(mailstore.row.path) +
                  " cannot sync folders, so a power cut may undo what was stored; nothing may be deleted on the server for it",
              "set leave_on_server = true for this account, or put its Maildir on another file system");
}

std::string suspension_hint(const std::string& account_name) {
  return "look at the disk (dmesg, smartctl) and repair it; then `popsync sync " + account_name +
         "` copies what is in doubt to fresh files and goes on";
}

}  // namespace popsync::sync
