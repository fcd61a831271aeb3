// SPDX-License-Identifier: MIT
#include "sync/new_mailstore.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "delivery/maildir.h"
#include "delivery/maildir_reader.h"
#include "delivery/mbox.h"
#include "sync/account_identity.h"
#include "sync/stopped.h"

namespace popsync::sync {
namespace {

// The Maildir remembers this user and host under an account that the database has never heard of, while it knows the account under another id: it was
// lost after all that, and fetching into the Maildir would double what it holds.
void refuse_lost_state(state::StateStore& store, const state::AccountRow& account, const std::string& path, const delivery::Inspection& found) {
  if (found.condition != delivery::MailstoreCondition::ours) return;
  if (std::ranges::count(found.accounts, account.id, &delivery::MailstoreId::Account::id) > 0) return;
  const auto known = store.accounts();
  for (const delivery::MailstoreId::Account& each : found.accounts) {
    const ConfiguredAccount ours{.name = account.name, .host = account.host, .user = account.user, .port = account.port};
    if (!is_remembered_as(each, found.accounts, ours)) continue;
    if (std::ranges::count(known, each.id, &state::AccountRow::id) > 0) continue;
    throw Stopped(StopReason::lost_state, {},
                  Error(ErrorCode::mailstore_foreign,
                        "the Maildir " + escaped(path) + " was filled from this maildrop under a state that is gone: was state.db removed?",
                        "put the state directory back from a backup; or `popsync adopt " + account.name +
                            "` recognises its mail by the headers, and nothing is fetched twice; or, to fetch all of it once more, " +
                            accept_command(account.name)));
  }
}

// Has an account of the state, perhaps this one, used the file?
bool used_before(state::StateStore* store, const std::string& path) {
  if (store == nullptr) return false;
  const auto rows = store->mailstores();
  return std::ranges::count(rows, path, &state::MailstoreRow::path) > 0;
}

bool knows_messages(state::StateStore* store, const state::AccountRow& account) { return store != nullptr && store->seen_count(account.id) > 0; }

std::size_t count_messages(Fs& fs, const std::string& maildir) {
  const auto reader = delivery::MaildirReader::open(fs, maildir);
  if (!reader) return 0;
  const auto names = reader->names();
  return static_cast<std::size_t>(std::ranges::count_if(names, [](const std::string& name) { return !name.starts_with('.'); }));
}

// Empty if there is no mail, or if there is a mark of popsync.
std::string foreign_mail_in(state::StateStore* store, Fs& fs, const MailstoreTarget& target) {
  if (target.kind == state::MailstoreKind::mbox) {
    if (used_before(store, target.path) || delivery::inspect_mbox(fs, target.path) != delivery::MboxCondition::mbox) return {};
    return delivery::holds_marked_entry(fs, target.path) ? "" : "the mbox " + escaped(target.path) + " holds mail";
  }
  if (delivery::inspect(fs, target.path, {}).condition != delivery::MailstoreCondition::maildir) return {};
  const std::size_t messages = count_messages(fs, target.path);
  return messages == 0 ? "" : "the Maildir " + escaped(target.path) + " holds " + counted(messages, "message");
}

}  // namespace

void refuse_new(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  if (target.kind == state::MailstoreKind::mbox) {
    delivery::refuse_unsafe(fs, target.path);
    delivery::refuse_unsuitable(target.path, delivery::inspect_mbox(fs, target.path));
    refuse_lost_mbox(&store, fs, account, target.path);
  } else {
    const delivery::Inspection found = delivery::inspect(fs, target.path, store.install_key());
    delivery::refuse_unsuitable(target.path, found, account.name);
    refuse_lost_state(store, account, target.path, found);
  }
  refuse_foreign_mail(&store, fs, account, target);
}

void refuse_lost_mbox(state::StateStore* store, Fs& fs, const state::AccountRow& account, const std::string& path) {
  if (knows_messages(store, account) || !delivery::holds_marked_entry(fs, path) || used_before(store, path)) return;
  throw Stopped(
      StopReason::lost_state, {},
      Error(ErrorCode::mailstore_foreign,
            "the mbox " + escaped(path) + " holds mail that popsync fetched (X-Popsync-Id), and the state knows nothing of it: was the state lost?",
            "put the state directory back from a backup; or `popsync seed " + account.name +
                "` takes what the server has now as known; or, to fetch all of it once more, " + accept_command(account.name)));
}

void refuse_foreign_mail(state::StateStore* store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target) {
  if (knows_messages(store, account)) return;
  const std::string found = foreign_mail_in(store, fs, target);
  if (found.empty()) return;
  const bool maildir = target.kind == state::MailstoreKind::maildir;
  throw Stopped(
      StopReason::foreign_mail, {},
      Error(ErrorCode::mailstore_foreign, found + " that popsync knows nothing of; what the server still has of it would be stored a second time",
            (maildir ? "`popsync adopt " + account.name + "` recognises by the headers what is here; " : "") + "`popsync seed " + account.name +
                "` takes all that the server has now for known; " + accept_command(account.name) + " fetches all of it"));
}

}  // namespace popsync::sync
