// SPDX-License-Identifier: MIT
// Which stored account a configured one is. State hangs on an internal id that remembers name, host, user and port, so that renaming an account or
// moving it to another host fetches nothing again, and another user under an old name never touches the old one's rows. The port tells apart what has
// one host and user: tunnels to different servers.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "delivery/mailstore_id.h"
#include "state/state_store.h"
#include "sync/stopped.h"

namespace popsync::sync {

struct ConfiguredAccount {
  std::string name;
  std::string host;
  std::string user;
  std::uint16_t port = 0;
  bool port_counts = false;  // another configured account has this host and user
};

enum class AccountMatch {
  known,       // same name and user; host and port may have changed
  taken_over,  // a vanished account with this host and user: its rows are this one's
  fresh,       // nothing stored
  conflict,    // the name belongs to another user
};

struct AccountDecision {
  AccountMatch match = AccountMatch::fresh;
  state::AccountRow row;  // with the name, host and user it should have; without id if fresh
  std::string old_name;   // of taken_over
  std::string replaces;   // the id of an account of this name that knows no message and gives way; empty mostly
};

// Pure. `configured` are the names of all accounts in the configuration: an account that still has its name has not vanished.
AccountDecision decide_account(const ConfiguredAccount& account, std::span<const std::string> configured, std::span<const state::AccountRow> stored);

// The same of the rows in the store. No conflict with an account of this name that has stored, held or marked nothing: its user was a mistake, and it
// is as if it had never been.
AccountDecision decide_account(const ConfiguredAccount& account, std::span<const std::string> configured, state::StateStore& store);

// How another maildrop gets an account of this name.
std::string other_account_hint(const std::string& name);

// What a conflict stops the account with, and the ways out of it.
Stopped stopped_by_other_user(const std::string& name, const std::string& user, const state::AccountRow& stored);
[[noreturn]] void refuse_conflict(const std::string& name, const std::string& user, const state::AccountRow& stored);

// Decides and records. Throws Error account_identity at a conflict. Touches no mailstore, so whatever then stops the account can be recorded. One
// that is new to the database gets a random id (lost_state.h may replace it).
state::AccountRow resolve_account(state::StateStore& store, const ConfiguredAccount& account, std::span<const std::string> configured);

// Has the account stored, held and marked nothing, and used no mailstore? Then nothing but the row itself has its id.
bool has_done_nothing(state::StateStore& store, const std::string& id);

// Of the accounts that the id file of a Maildir tells, does `line` mean this one? By host and user, and by the port where several have these.
bool is_remembered_as(const delivery::MailstoreId::Account& line, std::span<const delivery::MailstoreId::Account> lines,
                      const ConfiguredAccount& account);

}  // namespace popsync::sync
