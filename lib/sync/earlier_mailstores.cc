// SPDX-License-Identifier: MIT
#include "sync/earlier_mailstores.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "delivery/mbox.h"
#include "sync/mailstore_opening.h"
#include "sync/stopped.h"

namespace popsync::sync {
namespace {

void need_openable(const state::AccountRow& account, const state::MailstoreRow& row, const std::string& holds, const std::function<void()>& open) {
  try {
    open();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::mailstore_unavailable && error.code() != ErrorCode::mailstore_foreign) throw;
    throw Stopped(StopReason::gone, row,
                  Error(error.code(), holds + " " + escaped(row.path) + ", where the account delivered before: " + error.message(),
                        "is the disk mounted? If it is lost: " + accept_command(account.name)));
  }
}

}  // namespace

void refuse_gone_earlier(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::optional<KnownMailstore>& current,
                         state::MailstoreKind kind) {
  const auto rows = store.mailstores(account.id);
  if (rows.size() <= (current ? 1U : 0U)) return;
  std::set<state::RowId> unfinished;
  for (const state::StagedRow& staged : store.staged(account.id)) unfinished.insert(staged.mailstore);
  for (const state::MailstoreRow& row : rows) {
    if (!unfinished.contains(row.id) || (current && current->is(row.id))) continue;
    if (row.kind != state::MailstoreKind::mbox) {
      need_openable(account, row, "messages are unfinished in", [&] { (void)open_earlier(store, fs, account, row); });
    } else if (kind != state::MailstoreKind::mbox && !mbox_is_there(fs, row.path)) {
      throw Stopped(StopReason::gone, row,
                    Error(ErrorCode::mailstore_unavailable,
                          "messages are unfinished in the mbox " + escaped(row.path) + ", where the account delivered before, and it is gone",
                          "is the disk mounted? If it is lost: " + accept_command(account.name)));
    }
  }
}

void refuse_unseen_earlier(state::StateStore& store, Fs& fs, const state::AccountRow& account, const std::optional<KnownMailstore>& current) {
  const auto rows = store.mailstores(account.id);
  if (rows.size() <= (current ? 1U : 0U)) return;
  std::set<state::RowId> named;
  for (const state::PublishedRow& published : store.published(account.id)) named.insert(published.mailstore);
  for (const state::MailstoreRow& row : rows) {
    if (!named.contains(row.id) || (current && current->is(row.id))) continue;
    const bool both_mbox = row.kind == state::MailstoreKind::mbox && current && current->row.kind == row.kind;
    if (both_mbox && !mbox_is_there(fs, row.path)) continue;  // then its entries are looked for in the mbox of today
    need_openable(account, row, "messages are in", [&] { (void)open_as_it_is(store, fs, account, row); });
  }
}

bool mbox_is_there(Fs& fs, const std::string& path) {
  try {
    const delivery::MboxCondition found = delivery::inspect_mbox(fs, path);
    return found == delivery::MboxCondition::mbox || found == delivery::MboxCondition::empty;
  } catch (const Error& error) {
    log_debug("", std::string("where an mbox was: ") + error.what());
    return false;
  }
}

}  // namespace popsync::sync
