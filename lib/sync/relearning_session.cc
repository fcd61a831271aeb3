// SPDX-License-Identifier: MIT
#include "sync/relearning_session.h"

#include <unordered_set>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "state/account_lock.h"
#include "state/transaction.h"
#include "sync/account_use.h"
#include "sync/plan_policy.h"
#include "sync/relearning.h"
#include "sync/session_opening.h"

namespace popsync::sync {
namespace {

std::vector<std::string> names_in(OpenMailstore& mailstore) {
  std::vector<std::string> names;
  if (mailstore.maildir) {
    for (auto& [name, place] : mailstore.maildir->every_name()) names.push_back(name);
    return names;
  }
  delivery::MboxScanner scanner([&](const delivery::MboxEntry& entry) { names.push_back(entry.marker); });
  mailstore.mbox->scan(scanner);
  return names;
}

// What no row names, in every mailstore that the account has used: mail stays where it was when the account moves to another.
std::vector<FileOfMailstore> unclaimed_files(const RelearningContext& context) {
  std::vector<FileOfMailstore> files;
  const auto add = [&](OpenMailstore& mailstore) {
    std::unordered_set<std::string> claimed;
    for (state::FileRow& row : context.store.files_at(mailstore.row.path)) claimed.insert(std::move(row.name));
    for (std::string& name : names_in(mailstore)) {
      if (!claimed.contains(name)) files.push_back({.mailstore = mailstore.row.id, .name = std::move(name)});
    }
  };
  for (const state::MailstoreRow& row : context.store.mailstores(context.account.id)) {
    if (row.id == context.mailstore.row.id) continue;
    try {
      OpenMailstore other = open_as_it_is(context.store, context.fs, context.account, row);
      add(other);
    } catch (const Error& error) {
      log_debug(context.account.name, "nothing is learnt from " + escaped(row.path) + ": " + error.what());
    }
  }
  add(context.mailstore);
  return files;
}

// Since the first session that met this mark. The mark's own time is of a file system's clock.
std::chrono::seconds unlearned_for(const RelearningContext& context, std::int64_t mark) {
  const auto& met = context.mailstore.row.unlearned;
  if (met && met->mark == mark) return row_ages(&context.store, context.clock).age(met->met);
  auto transaction = context.store.begin();
  transaction.set_unlearned(context.mailstore.row.id, mark, context.clock.reading());
  transaction.commit();
  return {};
}

}  // namespace

Relearnt relearn(const RelearningContext& context, const net::MaildropListing& listing) {
  const Relearning found = relearn_from_names(listing.entries, context.store.messages(context.account.id), unclaimed_files(context),
                                              {.install_key = context.store.install_key(), .account_id = context.account.id});
  if (!found.here.empty()) {
    auto transaction = context.store.begin();
    for (const Recognised& each : found.here) {
      for (const state::RowId held : each.replaces) transaction.erase_message(held);
      transaction.insert_found({.account = context.account.id,
                                .mailstore = each.file.mailstore,
                                .uid = each.entry.uid,
                                .list_size = each.entry.list_size,
                                .prints = {},
                                .name = each.file.name,
                                .at = context.clock.reading()},
                               false);
    }
    transaction.commit();
  }
  return {.here = found.here.size(), .not_here = found.not_here};
}

void relearn_if_marked(const RelearningContext& context, const net::MaildropListing& listing, bool server_hides_messages) {
  if (!context.mailstore.maildir || !listing.unique_ids) return;  // without unique-ids the content tells what is here
  delivery::StagingFolder& staging = context.mailstore.staging();
  const auto since = staging.unlearned_since();
  if (!since) return;
  const Relearnt learnt = relearn(context, listing);
  if (learnt.here > 0) {
    log_info(context.account.name, "learnt again from the names of the files: " + counted(learnt.here, "message") + " of those on the server " +
                                       (learnt.here == 1 ? "is" : "are") + " here and " + (learnt.here == 1 ? "is" : "are") +
                                       " neither fetched again nor deleted there; " + std::to_string(learnt.not_here) + " are not here");
  }
  if (!server_hides_messages && unlearned_for(context, *since) >= kForgetAge) staging.forget_unlearned();
}

void forget_marks(state::StateStore& store, Fs& fs, const state::AccountRow& account) {
  for (const state::MailstoreRow& row : store.mailstores(account.id)) {
    if (row.kind != state::MailstoreKind::maildir) continue;
    try {
      open_as_it_is(store, fs, account, row).staging().forget_unlearned();
    } catch (const Error& error) {
      log_debug(account.name, std::string("while looking for what marks a Maildir as not learnt: ") + error.what());
    }
  }
}

Rebuilt rebuild_account(const SyncServices& services, const SyncRequest& request) {
  const AccountUse use = use_account(services, request);
  OpenSession session = open_session(request.settings, request.secret, services.clock, request.stop, request.trace);
  OpenMailstore mailstore = open_filled_mailstore(services, request.settings, use.account);
  const net::MaildropListing listing = list_maildrop(*session.client, request.settings);
  require_unique_ids(listing, use.account.name);
  const Relearnt learnt =
      relearn({.store = services.store, .fs = services.fs, .clock = services.clock, .account = use.account, .mailstore = mailstore}, listing);
  const std::uint64_t to_fetch = count_to_fetch(services, request.settings, use.account, listing);
  session.client->quit(false);
  return {.recognised = learnt.here, .to_fetch = to_fetch};
}

}  // namespace popsync::sync
