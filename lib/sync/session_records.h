// SPDX-License-Identifier: MIT
// What a session learns of messages beside storing them: sizes, absences, messages set aside, messages that turned out to be known, deletions. Each
// function is one transaction; a crash between two of them costs at most a repeated look at the server.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/pop3_client.h"
#include "state/state_store.h"
#include "state/transaction.h"
#include "sync/account_settings.h"
#include "sync/fetch_plan.h"
#include "sync/message_intake.h"
#include "sync/message_warnings.h"

namespace popsync::sync {

// A listed message whose header proved it to be that of its row.
struct Confirmed {
  state::RowId row = 0;
  pop3::UniqueId uid;
  bool in_doubt = false;  // else nothing has to be written
  bool gave_up = false;   // its deletion did not last, too often
};

class SessionRecords {
 public:
  // All must outlive it; what is learnt of the account as a whole is counted in `account`, which the caller stores.
  SessionRecords(state::StateStore& store, const Clock& clock, const AccountSettings& settings, state::AccountRow& account)
      : store_(store), clock_(clock), settings_(settings), account_(account), bounded_(settings.name) {}

  // What the listing alone tells: sizes, absences, messages over the limit. As many transactions as it takes (pieces.h), `look` before each.
  void record_plan(const FetchPlan& plan, const net::MaildropListing& listing, const std::function<void()>& look);
  // These were recognised by their headers: no doubt is left.
  void record_confirmed(const std::vector<Confirmed>& confirmed);
  void record_doubt(const std::vector<state::RowId>& rows, state::Doubt doubt);
  // The session ended over the TOP of this message: it is not asked for it again.
  void record_top_broke(state::RowId row);
  // Messages that were retrieved and are not new, and those that the server would not give. Returns what may be deleted now that its content was
  // seen.
  std::vector<Removal> record_settled(const MessageIntake& intake);
  // A message at whose place the session broke: cut, silent or out of step (Dovecot sends a message unstuffed whose first octet is a dot). From now
  // on it is fetched apart from the others, and after kTriesMax tries no more.
  void record_broken(const Fetch& fetch, const std::string& reason);
  // A message that is larger than listed, and than allowed; or, with a reason, than a file here may be.
  void hold_oversized(const Fetch& fetch, const std::string& reason);
  // QUIT is about to be said after DELE of these: from now on the server may have them no more, whatever comes back.
  void record_dele_sent(const std::vector<Removal>& removals);
  // The server has confirmed these with +OK to QUIT.
  void record_deleted(const std::vector<Removal>& removals);
  // At the end of the session: what was left to say of messages.
  void tell_the_rest();

  [[nodiscard]] MessageWarnings& warnings() { return bounded_; }

 private:
  // A warning about a message, told once its row is committed: only then is certain what it is called.
  struct Warning {
    pop3::ListingEntry entry;
    state::RowId row = 0;  // 0: it has none
    std::function<std::string(const std::string& name)> text;
  };

  void record_doubts(const std::vector<std::pair<state::RowId, state::Doubt>>& doubts, const std::function<void()>& look);
  [[nodiscard]] state::NewKnown too_big(const pop3::ListingEntry& entry) const;
  [[nodiscard]] std::string size_limit() const;
  void warn_too_big(const pop3::ListingEntry& entry, state::RowId row);
  void record_one(state::Transaction& transaction, const Settled& settled, std::vector<Removal>& removals);
  void retire(state::Transaction& transaction, state::RowId row);
  void warn_of_undeletable(const pop3::ListingEntry& entry, state::RowId row);
  void record_try(state::Transaction& transaction, const Fetch& fetch, const std::string& reason);

  void warn(MessageTrouble kind, const pop3::ListingEntry& entry, state::RowId row, std::function<std::string(const std::string& name)> text) {
    if (bounded_.admits(kind)) warnings_.push_back({.entry = entry, .row = row, .text = std::move(text)});
  }
  void tell_warnings();

  state::StateStore& store_;
  const Clock& clock_;
  const AccountSettings& settings_;
  state::AccountRow& account_;
  std::set<state::RowId> claimed_;  // rows that a settled message was found to be
  MessageWarnings bounded_;
  std::vector<Warning> warnings_;
};

}  // namespace popsync::sync
