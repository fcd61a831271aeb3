// SPDX-License-Identifier: MIT
#include "sync/moved_mailstore.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "delivery/maildir.h"
#include "state/transaction.h"
#include "sync/stopped.h"

namespace popsync::sync {
namespace {

using state::MailstoreRow;

[[noreturn]] void refuse_other_kind(const MailstoreTarget& target) {
  const bool now_mbox = target.kind == state::MailstoreKind::mbox;
  throw Error(
      ErrorCode::mailstore_unavailable,
      escaped(target.path) + " was " + (now_mbox ? "a Maildir" : "an mbox") + " of this account and is to be " + (now_mbox ? "an mbox" : "a Maildir"),
      "name another path");
}

[[noreturn]] void refuse_copy(const state::AccountRow& account, const MailstoreRow& row, const std::string& path) {
  throw Stopped(StopReason::copied, row,
                Error(ErrorCode::mailstore_unavailable,
                      "the Maildir " + escaped(path) + " has the id of " + escaped(row.path) + ", which is there as well: one of them is a copy",
                      "go back to " + escaped(row.path) + ", or move it away if it is the copy; " + accept_command(account.name) + " goes on in " +
                          escaped(path) + " and gives that an id of its own"));
}

enum class OldPlace { gone, same_folder, another_folder };

// Where a Maildir with this id was before.
OldPlace look_at_old(state::StateStore& store, Fs& fs, const MailstoreRow& row, const std::string& path) {
  try {
    const auto old = fs.open_root(row.path);
    const auto now = fs.open_root(path);
    if (!old || !now) return OldPlace::gone;
    const FileStat left = fs.stat_open(old->get());
    const FileStat right = fs.stat_open(now->get());
    if (left.device == right.device && left.inode == right.inode) return OldPlace::same_folder;
    const delivery::Inspection found = delivery::inspect(fs, row.path, store.install_key());
    const bool same_id = found.condition == delivery::MailstoreCondition::ours && found.id == row.store_id;
    return same_id ? OldPlace::another_folder : OldPlace::gone;
  } catch (const Error& error) {
    log_debug("", std::string("where a Maildir was: ") + error.what());
    return OldPlace::gone;
  }
}

// Counts for both: what the state remembers of one Maildir under two paths.
void take_over(MailstoreRow& row, const MailstoreRow& other) {
  row.generation = std::max(row.generation, other.generation);
  row.sync_failures = std::max(row.sync_failures, other.sync_failures);
  if (row.suspended.empty()) row.suspended = other.suspended;
}

// `rows` have the id of the Maildir that is at `path` now; `at` is among them if the account has used it there.
KnownMailstore gather(std::vector<MailstoreRow> rows, const std::string& path) {
  const auto here = std::ranges::find(rows, path, &MailstoreRow::path);
  if (here != rows.end()) {
    std::iter_swap(rows.begin(), here);
  } else {
    std::iter_swap(rows.begin(), std::ranges::max_element(rows, {}, &MailstoreRow::generation));
  }
  KnownMailstore known{.row = rows.front(), .merged = {}, .old_paths = {}};
  for (const MailstoreRow& row : rows) {
    if (row.path != path) known.old_paths.push_back(row.path);
    if (row.id == known.row.id) continue;
    known.merged.push_back(row.id);
    take_over(known.row, row);
  }
  known.row.path = path;
  return known;
}

}  // namespace

bool KnownMailstore::is(state::RowId mailstore) const { return row.id == mailstore || std::ranges::count(merged, mailstore) > 0; }

std::optional<KnownMailstore> known_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  auto rows = store.mailstores(account.id);
  const auto at = std::ranges::find(rows, target.path, &MailstoreRow::path);
  const std::optional<MailstoreRow> here = at == rows.end() ? std::nullopt : std::optional(*at);
  if (here && here->kind != target.kind) refuse_other_kind(target);
  std::erase_if(rows, [&](const MailstoreRow& row) {
    return row.kind != state::MailstoreKind::maildir || row.path == target.path || (here && row.store_id != here->store_id);
  });
  const auto only_here = [&]() -> std::optional<KnownMailstore> {
    if (!here) return std::nullopt;
    return KnownMailstore{.row = *here, .merged = {}, .old_paths = {}};
  };
  if (target.kind != state::MailstoreKind::maildir || rows.empty()) return only_here();
  const delivery::Inspection found = delivery::inspect(fs, target.path, store.install_key());
  if (found.condition != delivery::MailstoreCondition::ours) return only_here();
  std::erase_if(rows, [&](const MailstoreRow& row) {
    if (row.store_id != found.id) return true;
    if (look_at_old(store, fs, row, target.path) != OldPlace::another_folder) return false;
    if (!here) refuse_copy(account, row, target.path);
    return true;  // both have been used as they are
  });
  if (rows.empty()) return only_here();
  if (here) rows.push_back(*here);
  return gather(std::move(rows), target.path);
}

void follow_moved_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto known = known_mailstore(store, fs, account, target);
  if (!known || !known->moved()) return;
  auto transaction = store.begin();
  for (const state::RowId other : known->merged) transaction.merge_mailstores(known->row.id, other);
  transaction.move_mailstore(known->row.id, known->row.path);
  transaction.set_generation(known->row.id, known->row.generation);
  if (!known->row.suspended.empty()) transaction.suspend(known->row.id, known->row.suspended);
  transaction.set_sync_failures(known->row.id, known->row.sync_failures);
  transaction.commit();
  log_info(account.name, "the Maildir " + escaped(known->old_paths.front()) + " is at " + escaped(known->row.path) + " now; it goes on there");
}

}  // namespace popsync::sync
