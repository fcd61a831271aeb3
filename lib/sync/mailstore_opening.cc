// SPDX-License-Identifier: MIT
#include "sync/mailstore_opening.h"

#include <algorithm>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/account_identity.h"

namespace popsync::sync {
namespace {

// A state that was lost, or is older than the folder, may not be gone: another copy of it may go on filling the same Maildir. Two generations more
// make that one older in its turn, so that it learns what we fetch, and nothing comes twice.
constexpr std::uint64_t kGenerationsAhead = 2;

// Durable before the generation is recorded: until then the folder is ahead, and this is done again.
std::uint64_t mark_unlearned(delivery::StagingFolder& staging) {
  const std::uint64_t generation = staging.generation().value_or(0) + kGenerationsAhead;
  staging.mark_unlearned();
  staging.set_generation(generation);
  staging.sync();
  return generation;
}

// Its id file, which is of this state, has the account already.
bool names_account(const delivery::Inspection& found, const state::AccountRow& account) {
  return found.condition == delivery::MailstoreCondition::ours &&
         std::ranges::count(found.accounts, account.id, &delivery::MailstoreId::Account::id) > 0;
}

void trust_if_new(delivery::StagingFolder& staging) {
  if (!staging.generation()) staging.trust_disk();
}

// The transaction holds the state's lock, so two accounts that share a Maildir do not write its id file at once.
OpenMailstore make_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  auto transaction = store.begin();
  const bool lost = names_account(delivery::inspect(fs, path, store.install_key()), account);
  delivery::Maildir maildir = delivery::Maildir::make(fs, path, owner_of(store, account));
  trust_if_new(maildir.staging());
  std::uint64_t generation = 0;
  if (lost) {
    generation = mark_unlearned(maildir.staging());
  } else {
    maildir.staging().set_generation(generation);
    maildir.staging().sync();
  }
  const state::RowId id = transaction.insert_mailstore(account.id, path, maildir.id());
  transaction.set_generation(id, generation);
  const state::MailstoreRow row{.id = id, .path = path, .store_id = maildir.id(), .generation = generation};
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
  if (store.staged(account.id).empty()) mbox.staging().trust_disk();  // else another mbox of the account may be in doubt
  mbox.staging().sync();
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

// The Maildir remembers this user and host under an account that the database has never heard of, while it knows the account under another id: it was
// lost after all that, and fetching into the Maildir would double what it holds.
void refuse_lost_state(state::StateStore& store, const state::AccountRow& account, const std::string& path, const delivery::Inspection& found) {
  if (found.condition != delivery::MailstoreCondition::ours || names_account(found, account)) return;
  const auto known = store.accounts();
  for (const delivery::MailstoreId::Account& each : found.accounts) {
    const ConfiguredAccount ours{.name = account.name, .host = account.host, .user = account.user, .port = account.port};
    if (!is_remembered_as(each, found.accounts, ours)) continue;
    if (std::ranges::count(known, each.id, &state::AccountRow::id) > 0) continue;
    throw Error(ErrorCode::mailstore_foreign,
                "the Maildir " + escaped(path) + " was filled from this maildrop under a state that is gone: was state.db removed?",
                "put the state directory back from a backup; or `popsync adopt " + account.name +
                    "` recognises its mail by the headers, and nothing is fetched twice");
  }
}

void refuse_unsuitable(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  if (target.kind == state::MailstoreKind::mbox) {
    delivery::refuse_unsuitable(target.path, delivery::inspect_mbox(fs, target.path));
    refuse_lost_mbox(&store, fs, account, target.path);
    return;
  }
  const delivery::Inspection found = delivery::inspect(fs, target.path, store.install_key());
  delivery::refuse_unsuitable(target.path, found, account.name);
  refuse_lost_state(store, account, target.path, found);
}

// The folder's generation is raised before the database hears of it, by one, and by a batch whose rows are STAGED until then. What else is ahead
// shows that the state came out of a backup; what is behind, that the Maildir did.
bool is_ahead(const state::MailstoreRow& row, std::uint64_t found, bool staged) { return found > row.generation + (staged ? 1 : 0); }

bool has_staged(state::StateStore& store, const state::AccountRow& account, const state::MailstoreRow& row) {
  return std::ranges::any_of(store.staged(account.id), [&](const state::StagedRow& staged) { return staged.mailstore == row.id; });
}

void check_generation(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore) {
  const state::MailstoreRow& row = mailstore.row;
  const auto found = mailstore.staging().generation();
  if (!found || *found < row.generation) {
    throw Error(ErrorCode::mailstore_unavailable, "the Maildir " + escaped(row.path) + " is older than the state: was it restored from a backup?",
                "if meant: `popsync check " + account.name + " --accept-mailstore`, then `popsync refetch " + account.name + " --missing`");
  }
  mailstore.ahead = is_ahead(row, *found, has_staged(store, account, row));
  // What is settled in it counts on from the folder's, never back.
  if (mailstore.ahead) mailstore.row.generation = *found;
}

// What the accepted mailstore does not hold must not be deleted on the server: it may be the only copy.
void distrust_missing(state::Transaction& transaction, OpenMailstore& mailstore, const std::vector<state::FileRow>& files) {
  std::vector<std::string> wanted;
  for (const state::FileRow& row : files) wanted.push_back(row.name);
  const auto present = present_in(mailstore, wanted);
  for (const state::FileRow& row : files) {
    if (!present.contains(row.name)) transaction.set_removable(row.id, false);
  }
}

// Of this account alone; two may share a Maildir.
std::vector<state::FileRow> files_of(state::StateStore& store, const state::MailstoreRow& mailstore) {
  std::vector<state::FileRow> files = store.files_at(mailstore.path);
  std::erase_if(files, [&](const state::FileRow& each) { return each.mailstore != mailstore.id || !each.removable; });
  return files;
}

}  // namespace

delivery::MailstoreOwner owner_of(const state::StateStore& store, const state::AccountRow& account) {
  return {.install_key = store.install_key(),
          .account_id = account.id,
          .account_name = account.name,
          .user = account.user,
          .host = account.host,
          .port = account.port};
}

std::optional<OpenMailstore> find_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto row = known_row(store, account, target);
  if (!row) {
    refuse_unsuitable(store, fs, account, target);
    return std::nullopt;
  }
  OpenMailstore mailstore = open_as_it_is(store, fs, account, *row, target);
  if (mailstore.maildir) check_generation(store, account, mailstore);
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
  const bool moved = !store.mailstores(account.id).empty();
  OpenMailstore made = mbox ? make_mbox(store, fs, account, target) : make_mailstore(store, fs, account, target.path);
  if (moved) {
    log_info(account.name,
             std::string("new ") + (mbox ? "mbox " : "Maildir ") + escaped(target.path) + ": new mail goes there, nothing is fetched again");
  }
  return made;
}

void refuse_lost_mbox(state::StateStore* store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  if (store != nullptr && store->seen_count(account.id) > 0) return;
  if (!delivery::holds_marked_entry(fs, path)) return;
  if (store != nullptr) {
    const auto used_by = [&](const state::AccountRow& each) {
      const auto rows = store->mailstores(each.id);
      return std::ranges::count(rows, path, &state::MailstoreRow::path) > 0;
    };
    if (std::ranges::any_of(store->accounts(), used_by)) return;
  }
  throw Error(ErrorCode::mailstore_foreign,
              "the mbox " + escaped(path) + " holds mail that popsync fetched (X-Popsync-Id), and the state knows nothing of it: was the state lost?",
              "put the state directory back from a backup; or `popsync seed " + account.name +
                  "` takes what the server has now as known; or, to fetch all of it once more, `popsync check " + account.name +
                  " --accept-mailstore`");
}

bool is_remembered(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  return target.kind == state::MailstoreKind::maildir && names_account(delivery::inspect(fs, target.path, store.install_key()), account);
}

void take_into_use(state::StateStore& store, const state::AccountRow& account, OpenMailstore& mailstore) {
  if (!mailstore.maildir) return;
  if (!mailstore.staging().try_lock()) {
    throw Error(ErrorCode::lock_held, "the Maildir " + escaped(mailstore.row.path) + " is being filled by a popsync with another state directory",
                "one state is enough: stop one of both");
  }
  if (!mailstore.ahead) return;
  const std::uint64_t generation = mark_unlearned(mailstore.staging());
  auto transaction = store.begin();
  transaction.set_generation(mailstore.row.id, generation);
  transaction.commit();
  mailstore.row.generation = generation;
  mailstore.ahead = false;
  log_warning(account.name, "the state is older than the Maildir " + escaped(mailstore.row.path) +
                                " (was the state directory restored from a backup?); what was fetched since is learnt from the names of its files");
}

OpenMailstore accept_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto row = known_row(store, account, target);
  const bool mbox = target.kind == state::MailstoreKind::mbox;
  if (!row) return mbox ? make_mbox(store, fs, account, target) : make_mailstore(store, fs, account, target.path);
  const std::vector<state::FileRow> files = files_of(store, *row);
  const bool staged = has_staged(store, account, *row);
  OpenMailstore accepted{.row = *row, .maildir = {}, .mbox = {}};
  if (mbox) accepted.mbox.emplace(delivery::Mbox::make(fs, place_of(store, account, target)));
  auto transaction = store.begin();
  if (!mbox) {
    accepted.maildir.emplace(delivery::Maildir::make(fs, target.path, owner_of(store, account)));
    trust_if_new(accepted.maildir->staging());
    const auto generation = accepted.maildir->staging().generation();
    accepted.row.generation = generation.value_or(row->generation);
    accepted.row.store_id = accepted.maildir->id();
    if (generation && is_ahead(*row, *generation, staged)) {
      accepted.row.generation = mark_unlearned(accepted.maildir->staging());
    } else {
      accepted.maildir->staging().set_generation(accepted.row.generation);
      accepted.maildir->staging().sync();
    }
    transaction.set_mailstore_id(row->id, accepted.row.store_id);
    transaction.set_generation(row->id, accepted.row.generation);
  }
  distrust_missing(transaction, accepted, files);
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
