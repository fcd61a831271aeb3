// SPDX-License-Identifier: MIT
#include "sync/mailstore_opening.h"

#include <algorithm>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "state/transaction.h"

namespace popsync::sync {
namespace {

// The transaction holds the state's lock, so two accounts that share a Maildir do not write its id file at once.
OpenMailstore make_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  auto transaction = store.begin();
  delivery::Maildir maildir = delivery::Maildir::make(fs, path, owner_of(store, account));
  maildir.staging().set_generation(0);
  maildir.staging().sync();
  const state::RowId id = transaction.insert_mailstore(account.id, path, maildir.id());
  const state::MailstoreRow row{.id = id, .path = path, .store_id = maildir.id(), .generation = 0};
  transaction.commit();
  return {.row = row, .maildir = std::move(maildir), .mbox = {}};
}

delivery::MboxPlace place_of(const state::StateStore& store, const state::AccountRow& account, const MailstoreTarget& target) {
  return {.path = target.path,
          .locks = target.mbox_locks,
          .lock_wait = target.mbox_lock_wait,
          .state_directory = store.directory(),
          .account_id = account.id,
          .account_name = account.name};
}

OpenMailstore make_mbox(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  delivery::Mbox mbox = delivery::Mbox::make(fs, place_of(store, account, target));
  auto transaction = store.begin();
  const state::RowId id = transaction.insert_mailstore(account.id, target.path, "", state::MailstoreKind::mbox);
  transaction.commit();
  const state::MailstoreRow row{.id = id, .path = target.path, .store_id = {}, .generation = 0, .kind = state::MailstoreKind::mbox};
  return {.row = row, .maildir = {}, .mbox = std::move(mbox)};
}

[[noreturn]] void refuse_other_kind(const MailstoreTarget& target) {
  const bool now_mbox = target.kind == state::MailstoreKind::mbox;
  throw Error(
      ErrorCode::mailstore_unavailable,
      escaped(target.path) + " was " + (now_mbox ? "a Maildir" : "an mbox") + " of this account and is to be " + (now_mbox ? "an mbox" : "a Maildir"),
      "name another path");
}

// The row of a path that the account has used before.
std::optional<state::MailstoreRow> known_row(state::StateStore& store, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto rows = store.mailstores(account.id);
  const auto row = std::ranges::find(rows, target.path, &state::MailstoreRow::path);
  if (row == rows.end()) return std::nullopt;
  if (row->kind != target.kind) refuse_other_kind(target);
  return *row;
}

// The Maildir remembers this user and host under an account that the database has never heard of: the database was lost, and fetching into the
// Maildir would double what it holds.
void refuse_lost_state(state::StateStore& store, const state::AccountRow& account, const std::string& path, const delivery::Inspection& found) {
  if (found.condition != delivery::MailstoreCondition::ours) return;
  const auto known = store.accounts();
  for (const delivery::MailstoreId::Account& each : found.accounts) {
    if (each.user != account.user || each.host != account.host || std::ranges::count(known, each.id, &state::AccountRow::id) > 0) continue;
    throw Error(ErrorCode::mailstore_foreign,
                "the Maildir " + escaped(path) + " was filled from this maildrop under a state that is gone: was state.db removed?",
                "put the state directory back from a backup; or, to go on with new mail only: `popsync seed " + account.name +
                    "`, then `popsync check " + account.name + " --accept-mailstore`");
  }
}

void refuse_unsuitable(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  if (target.kind == state::MailstoreKind::mbox) {
    delivery::refuse_unsuitable(target.path, delivery::inspect_mbox(fs, target.path));
    return;
  }
  const delivery::Inspection found = delivery::inspect(fs, target.path, store.install_key());
  delivery::refuse_unsuitable(target.path, found);
  refuse_lost_state(store, account, target.path, found);
}

// The folder's generation and the stored one differ by at most one batch, unless one of both came out of a backup.
void check_generation(const state::MailstoreRow& row, delivery::StagingFolder& staging, const std::string& account) {
  const auto found = staging.generation();
  if (found == row.generation || found == row.generation + 1) return;
  if (found && *found > row.generation) {
    throw Error(ErrorCode::state_corrupt,
                "the state is older than the Maildir " + escaped(row.path) + ": was the state directory restored from a backup?",
                "put the newer state directory back; syncing now would fetch again what the Maildir holds");
  }
  throw Error(ErrorCode::mailstore_unavailable, "the Maildir " + escaped(row.path) + " is older than the state: was it restored from a backup?",
              "if meant: `popsync check " + account + " --accept-mailstore`, then `popsync refetch " + account + " --missing`");
}

// What the accepted mailstore does not hold must not be deleted on the server: it may be the only copy.
void distrust_missing(state::Transaction& transaction, OpenMailstore& mailstore, const std::vector<state::PublishedRow>& published) {
  std::vector<std::string> wanted;
  for (const state::PublishedRow& row : published) wanted.push_back(row.name);
  const auto present = present_in(mailstore, wanted);
  for (const state::PublishedRow& row : published) {
    if (!present.contains(row.name)) transaction.set_removable(row.id, false);
  }
}

}  // namespace

delivery::MailstoreOwner owner_of(const state::StateStore& store, const state::AccountRow& account) {
  return {.install_key = store.install_key(), .account_id = account.id, .account_name = account.name, .user = account.user, .host = account.host};
}

std::optional<OpenMailstore> find_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto row = known_row(store, account, target);
  if (!row) {
    refuse_unsuitable(store, fs, account, target);
    return std::nullopt;
  }
  OpenMailstore mailstore = open_as_it_is(store, fs, account, *row, target);
  if (mailstore.maildir) check_generation(*row, mailstore.staging(), account.name);
  return mailstore;
}

OpenMailstore open_as_it_is(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& row,
                            const MailstoreTarget& target) {
  OpenMailstore mailstore{.row = row, .maildir = {}, .mbox = {}};
  if (row.kind == state::MailstoreKind::mbox) {
    MailstoreTarget locked_so = target;
    locked_so.path = row.path;
    mailstore.mbox.emplace(delivery::Mbox::open(fs, place_of(store, account, locked_so)));
  } else {
    mailstore.maildir.emplace(delivery::Maildir::open(fs, row.path, owner_of(store, account), row.store_id));
  }
  return mailstore;
}

OpenMailstore open_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  if (auto found = find_mailstore(store, fs, account, target)) return std::move(*found);
  const bool mbox = target.kind == state::MailstoreKind::mbox;
  if (!store.mailstores(account.id).empty()) {
    log_info(account.name,
             std::string("new ") + (mbox ? "mbox " : "Maildir ") + escaped(target.path) + ": new mail goes there, nothing is fetched again");
  }
  return mbox ? make_mbox(store, fs, account, target) : make_mailstore(store, fs, account, target.path);
}

OpenMailstore accept_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto row = known_row(store, account, target);
  const bool mbox = target.kind == state::MailstoreKind::mbox;
  if (!row) return mbox ? make_mbox(store, fs, account, target) : make_mailstore(store, fs, account, target.path);
  std::vector<state::PublishedRow> published = store.published(account.id);
  std::erase_if(published, [&](const state::PublishedRow& each) { return each.mailstore != row->id; });
  OpenMailstore accepted{.row = *row, .maildir = {}, .mbox = {}};
  if (mbox) accepted.mbox.emplace(delivery::Mbox::make(fs, place_of(store, account, target)));
  auto transaction = store.begin();
  if (!mbox) {
    accepted.maildir.emplace(delivery::Maildir::make(fs, target.path, owner_of(store, account)));
    accepted.row.generation = accepted.maildir->staging().generation().value_or(row->generation);
    accepted.row.store_id = accepted.maildir->id();
    accepted.maildir->staging().set_generation(accepted.row.generation);
    accepted.maildir->staging().sync();
    transaction.set_mailstore_id(row->id, accepted.row.store_id);
    transaction.set_generation(row->id, accepted.row.generation);
  }
  distrust_missing(transaction, accepted, published);
  transaction.commit();
  return accepted;
}

std::unordered_set<std::string> present_in(OpenMailstore& mailstore, std::span<const std::string> wanted) {
  std::unordered_set<std::string> present;
  if (mailstore.maildir) {
    const auto names = mailstore.maildir->published_names(wanted);
    for (const std::string& name : wanted) {
      if (names.contains(name)) present.insert(name);
    }
    return present;
  }
  const std::unordered_set<std::string_view> sought(wanted.begin(), wanted.end());
  delivery::MboxScanner scanner([&](const delivery::MboxEntry& entry) {
    if (sought.contains(entry.marker)) present.insert(entry.marker);
  });
  mailstore.mbox->scan(scanner);
  return present;
}

}  // namespace popsync::sync
