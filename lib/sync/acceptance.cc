// SPDX-License-Identifier: MIT
#include "sync/acceptance.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "delivery/maildir_reader.h"
#include "state/transaction.h"
#include "sync/earlier_mailstores.h"
#include "sync/id_file_lock.h"
#include "sync/moved_mailstore.h"
#include "sync/new_mailstore.h"

namespace popsync::sync {
namespace {

constexpr std::size_t kNewIdOctets = 16;

// Of this account alone; two may share a Maildir.
std::vector<state::FileRow> files_of(state::StateStore& store, const state::MailstoreRow& mailstore) {
  std::vector<state::FileRow> files = store.files_of(mailstore.id);
  std::erase_if(files, [](const state::FileRow& each) { return !each.removable; });
  return files;
}

std::vector<state::StagedRow> staged_in(state::StateStore& store, const state::AccountRow& account, state::RowId mailstore) {
  std::vector<state::StagedRow> rows = store.staged(account.id);
  std::erase_if(rows, [&](const state::StagedRow& row) { return row.mailstore != mailstore; });
  return rows;
}

// What the accepted mailstore does not hold must not be deleted on the server: it may be the only copy.
std::vector<state::RowId> missing_in(OpenMailstore& mailstore, const std::vector<state::FileRow>& files) {
  std::vector<std::string> wanted;
  for (const state::FileRow& row : files) wanted.push_back(row.name);
  const auto present = present_in(mailstore, wanted);
  std::vector<state::RowId> missing;
  for (const state::FileRow& row : files) {
    if (!present.contains(row.name)) missing.push_back(row.id);
  }
  return missing;
}

// A name that is in neither folder shows a published message only where its staging folder is the one it was in.
std::vector<state::RowId> untraced_in(OpenMailstore& mailstore, const std::vector<state::StagedRow>& rows) {
  std::vector<state::RowId> untraced;
  if (rows.empty() || !mailstore.maildir) return untraced;
  std::vector<std::string> wanted;
  for (const state::StagedRow& row : rows) wanted.push_back(row.name);
  const auto present = present_in(mailstore, wanted);
  const auto staged = mailstore.staging().names();
  for (const state::StagedRow& row : rows) {
    if (!present.contains(row.name) && std::ranges::count(staged, row.name) == 0) untraced.push_back(row.id);
  }
  return untraced;
}

// The copy lies where the account delivers to now. Its id is replaced first: killed before the commit, the Maildir is new to the account, which goes
// on there, and the question is answered all the same.
OpenMailstore accept_copy(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  {
    const auto lock = lock_id_file(store, fs, target.path);
    delivery::give_new_id(fs, target.path, store.install_key(), account.id, to_hex(random_octets(kNewIdOctets)));
  }
  return make_new_mailstore(store, fs, account, target);
}

// The names of all messages in the folder that is there now, whosever it is.
std::unordered_set<std::string> names_at(Fs& fs, const std::string& maildir) {
  std::unordered_set<std::string> names;
  if (const auto reader = delivery::MaildirReader::open(fs, maildir)) {
    for (std::string& name : reader->names()) names.insert(std::move(name));
  }
  return names;
}

Question with_numbers(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target, const Stopped& stop) {
  Question question{.stop = stop};
  if (!stop.mailstore()) return question;
  const state::RowId mailstore = stop.mailstore()->id;
  const bool looks = stop.reason() != StopReason::gone && target.kind == state::MailstoreKind::maildir;
  const auto here = looks ? names_at(fs, target.path) : std::unordered_set<std::string>();
  for (const state::FileRow& row : store.files_of(mailstore)) {
    ++question.stored;
    if (!here.contains(row.name)) ++question.not_here;
  }
  for (const state::StagedRow& row : staged_in(store, account, mailstore)) {
    ++question.unfinished;
    --question.stored;
    if (!here.contains(row.name)) --question.not_here;
  }
  return question;
}

}  // namespace

std::optional<Question> find_question(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  try {
    follow_moved_mailstore(store, fs, account, target);
    (void)find_mailstore(store, fs, account, target);
    refuse_unseen_earlier(store, fs, account, known_mailstore(store, fs, account, target));
  } catch (const Stopped& stop) {
    return with_numbers(store, fs, account, target, stop);
  }
  return std::nullopt;
}

void accept(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target, const Question& question,
            Acceptance answer) {
  switch (answer) {
    case Acceptance::gone: {
      auto transaction = store.begin();
      transaction.lose_mailstore(question.stop.mailstore().value().id);
      transaction.commit();
      break;
    }
    case Acceptance::mailstore:
    case Acceptance::foreign_mail:
      if (question.stop.reason() == StopReason::copied) {
        (void)accept_copy(store, fs, account, target);
      } else {
        (void)accept_mailstore(store, fs, account, target);
      }
      break;
    case Acceptance::user: break;  // take_user(): it takes a session (user_change.h)
  }
}

OpenMailstore accept_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  const auto known = known_mailstore(store, fs, account, target);
  if (!known) return make_new_mailstore(store, fs, account, target);
  const state::MailstoreRow& row = known->row;
  const std::vector<state::FileRow> files = files_of(store, row);
  const auto staged = staged_in(store, account, row.id);
  // All that touches the mailstore comes before the transaction: its disk may not answer.
  OpenMailstore accepted = make_again(store, fs, account, target, row, !staged.empty());
  const auto missing = missing_in(accepted, files);
  const auto untraced = untraced_in(accepted, staged);
  auto transaction = store.begin();
  if (accepted.maildir) {
    transaction.set_mailstore_id(row.id, accepted.row.store_id);
    transaction.set_generation(row.id, accepted.row.generation);
  }
  for (const state::RowId each : untraced) transaction.erase_message(each);
  for (const state::RowId each : missing) transaction.set_removable(each, false);
  transaction.commit();
  return accepted;
}

void answer_foreign_mail(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  try {
    if (!known_mailstore(store, fs, account, target)) refuse_new(store, fs, account, target);
  } catch (const Stopped& stop) {
    const bool answered =
        stop.reason() == StopReason::foreign_mail || (stop.reason() == StopReason::lost_state && target.kind == state::MailstoreKind::mbox);
    if (answered) (void)make_new_mailstore(store, fs, account, target);
  } catch (const Error& error) {
    log_debug(account.name, error.what());  // the next sync tells it
  }
}

}  // namespace popsync::sync
