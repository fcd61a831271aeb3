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
  return {.row = row, .maildir = std::move(maildir)};
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

// What the accepted folder does not hold must not be deleted on the server: it may be the only copy.
void distrust_missing(state::Transaction& transaction, delivery::Maildir& maildir, const std::vector<state::PublishedRow>& published) {
  std::vector<std::string> wanted;
  for (const state::PublishedRow& row : published) wanted.push_back(row.name);
  const auto names = maildir.published_names(wanted);
  for (const state::PublishedRow& row : published) {
    if (!names.contains(row.name)) transaction.set_removable(row.id, false);
  }
}

}  // namespace

delivery::MailstoreOwner owner_of(const state::StateStore& store, const state::AccountRow& account) {
  return {.install_key = store.install_key(), .account_id = account.id, .account_name = account.name, .user = account.user, .host = account.host};
}

std::optional<OpenMailstore> find_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  const auto rows = store.mailstores(account.id);
  const auto row = std::ranges::find(rows, path, &state::MailstoreRow::path);
  if (row == rows.end()) {
    const delivery::Inspection found = delivery::inspect(fs, path, store.install_key());
    delivery::refuse_unsuitable(path, found);
    refuse_lost_state(store, account, path, found);
    return std::nullopt;
  }
  delivery::Maildir maildir = delivery::Maildir::open(fs, path, owner_of(store, account), row->store_id);
  check_generation(*row, maildir.staging(), account.name);
  return OpenMailstore{.row = *row, .maildir = std::move(maildir)};
}

OpenMailstore open_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  if (auto found = find_mailstore(store, fs, account, path)) return std::move(*found);
  if (!store.mailstores(account.id).empty())
    log_info(account.name, "new Maildir " + escaped(path) + ": new mail goes there, nothing is fetched again");
  return make_mailstore(store, fs, account, path);
}

OpenMailstore accept_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  const auto rows = store.mailstores(account.id);
  const auto row = std::ranges::find(rows, path, &state::MailstoreRow::path);
  if (row == rows.end()) return make_mailstore(store, fs, account, path);
  std::vector<state::PublishedRow> published = store.published(account.id);
  std::erase_if(published, [&](const state::PublishedRow& each) { return each.mailstore != row->id; });
  auto transaction = store.begin();
  delivery::Maildir maildir = delivery::Maildir::make(fs, path, owner_of(store, account));
  distrust_missing(transaction, maildir, published);
  const std::uint64_t generation = maildir.staging().generation().value_or(row->generation);
  maildir.staging().set_generation(generation);
  maildir.staging().sync();
  transaction.set_mailstore_id(row->id, maildir.id());
  transaction.set_generation(row->id, generation);
  transaction.commit();
  const state::MailstoreRow accepted{.id = row->id, .path = path, .store_id = maildir.id(), .generation = generation};
  return {.row = accepted, .maildir = std::move(maildir)};
}

}  // namespace popsync::sync
