// SPDX-License-Identifier: MIT
#include "sync/mailstore_opening.h"

#include <algorithm>

#include "base/error.h"
#include "base/escape.h"
#include "base/folders.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/earlier_mailstores.h"
#include "sync/id_file_lock.h"
#include "sync/moved_mailstore.h"
#include "sync/new_mailstore.h"
#include "sync/stopped.h"

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

// All that touches the Maildir comes before the transaction: its disk may not answer, and every account waits for a transaction. A crash in between
// leaves an id file that names the account, whose files are learnt then.
OpenMailstore make_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  (void)make_path(fs, path);
  const auto lock = lock_id_file(store, fs, path);
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
  auto transaction = store.begin();
  const state::RowId id = transaction.insert_mailstore(account.id, path, maildir.id());
  transaction.set_generation(id, generation);
  transaction.commit();
  const state::MailstoreRow row{.id = id, .path = path, .store_id = maildir.id(), .generation = generation};
  return {.row = row, .maildir = std::move(maildir), .mbox = {}};
}

delivery::MboxPlace place_of(const state::StateStore& store, const state::AccountRow& account, const MailstoreTarget& target) {
  return {.path = target.path,
          .locks = target.mbox_locks,
          .lock_wait = target.mbox_lock_wait,
          .state_directory = store.directory(),
          .account_id = account.id,
          .account_name = account.name,
          .make_file = target.made_if_absent};
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
    throw Stopped(
        StopReason::older, row,
        Error(ErrorCode::mailstore_unavailable, "the Maildir " + escaped(row.path) + " is older than the state: was it restored from a backup?",
              "if meant: " + accept_command(account.name) + ", then `popsync refetch " + account.name + " --missing`"));
  }
  mailstore.ahead = is_ahead(row, *found, has_staged(store, account, row));
  // What is settled in it counts on from the folder's, never back.
  if (mailstore.ahead) mailstore.row.generation = *found;
}

// What is not where it was, told apart by looking once more: only what can be meant is a question to the operator.
[[noreturn]] void refuse_missing(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& row,
                                 const Error& error) {
  bool absent = false;
  if (row.kind == state::MailstoreKind::mbox) {
    absent = delivery::inspect_mbox(fs, row.path) == delivery::MboxCondition::no_folder;
    if (!absent) throw Error(error);
  } else {
    absent = delivery::inspect(fs, row.path, store.install_key()).condition == delivery::MailstoreCondition::absent;
  }
  throw Stopped(absent ? StopReason::absent : StopReason::replaced, row,
                Error(error.code(), error.message(), "is the disk mounted? If meant: " + accept_command(account.name)));
}

OpenMailstore open_where_it_was(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& row,
                                const MailstoreTarget& target) {
  try {
    return open_as_it_is(store, fs, account, row, target);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::mailstore_unavailable) throw;
    refuse_missing(store, fs, account, row, error);
  }
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
  const auto known = known_mailstore(store, fs, account, target);
  refuse_gone_earlier(store, fs, account, known, target.kind);
  if (!known) {
    refuse_new(store, fs, account, target);
    return std::nullopt;
  }
  OpenMailstore mailstore = open_where_it_was(store, fs, account, known->row, target);
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

OpenMailstore open_earlier(state::StateStore& store, Fs& fs, const state::AccountRow& account, const state::MailstoreRow& row) {
  OpenMailstore mailstore = open_as_it_is(store, fs, account, row, {.path = row.path, .kind = row.kind, .made_if_absent = false});
  if (mailstore.maildir) check_generation(store, account, mailstore);
  return mailstore;
}

OpenMailstore open_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  if (auto found = find_mailstore(store, fs, account, target)) return std::move(*found);
  const bool mbox = target.kind == state::MailstoreKind::mbox;
  const bool moved = !store.mailstores(account.id).empty();
  OpenMailstore made = make_new_mailstore(store, fs, account, target);
  if (moved) {
    log_info(account.name,
             std::string("new ") + (mbox ? "mbox " : "Maildir ") + escaped(target.path) + ": new mail goes there, nothing is fetched again");
  }
  return made;
}

OpenMailstore make_new_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const bool mbox = target.kind == state::MailstoreKind::mbox;
  return mbox ? make_mbox(store, fs, account, target) : make_mailstore(store, fs, account, target.path);
}

bool is_remembered(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  return target.kind == state::MailstoreKind::maildir && names_account(delivery::inspect(fs, target.path, store.install_key()), account);
}

void name_owner(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  const auto lock = lock_id_file(store, fs, path);
  delivery::rename_owner(fs, path, owner_of(store, account));
}

void take_into_use(state::StateStore& store, Fs& fs, const state::AccountRow& account, OpenMailstore& mailstore) {
  if (!mailstore.maildir) return;
  if (!mailstore.staging().try_lock()) {
    throw Error(ErrorCode::lock_held, "the Maildir " + escaped(mailstore.row.path) + " is being filled by a popsync with another state directory",
                "one state is enough: stop one of both");
  }
  if (mailstore.maildir->owner_changed()) name_owner(store, fs, account, mailstore.row.path);
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

OpenMailstore make_again(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target,
                         const state::MailstoreRow& row, bool unfinished) {
  OpenMailstore made{.row = row, .maildir = {}, .mbox = {}};
  if (target.kind == state::MailstoreKind::mbox) {
    made.mbox.emplace(delivery::Mbox::make(fs, place_of(store, account, target)));
    return made;
  }
  (void)make_path(fs, target.path);
  const auto lock = lock_id_file(store, fs, target.path);
  made.maildir.emplace(delivery::Maildir::make(fs, target.path, owner_of(store, account)));
  trust_if_new(made.staging());
  const auto generation = made.staging().generation();
  made.row.generation = generation.value_or(row.generation);
  made.row.store_id = made.maildir->id();
  if (generation && is_ahead(row, *generation, unfinished)) {
    made.row.generation = mark_unlearned(made.staging());
  } else {
    made.staging().set_generation(made.row.generation);
    made.staging().sync();
  }
  return made;
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
