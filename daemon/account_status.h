// SPDX-License-Identifier: MIT
// What the state tells of one account, and how `popsync status` says it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json_text.h"
#include "look.h"
#include "state/state_store.h"

namespace popsync {

struct AccountStatus {
  std::string name;
  std::string_view state = "never";
  state::AccountRow row = {};  // empty where nothing is stored
  std::uint64_t seen = 0;
  std::uint64_t held_count = 0;
  std::vector<state::HeldRow> held = {};     // of text the first
  std::vector<std::string> held_names = {};  // what they are called
  std::string suspended = {};                // why the disk under its Maildir gets no mail
  std::optional<WallTime> deletion_waits_since = {};
  std::optional<Error> trouble = {};  // the stored account is another user's; its disk does not answer the daemon
};

// How much is asked, and of whom.
struct StatusQuestion {
  state::StateStore* store = nullptr;  // null: there is no state
  bool daemon_runs = false;            // one that does not run says nothing of file systems
  bool all_held = false;               // else the first of the held messages
};

AccountStatus status_of(const StatusQuestion& question, const StoredAccounts& stored, const Program& program, const config::Account& account);
// While the configuration cannot be used: all that the state tells by itself, which is not whether the account is enabled, nor what its keys make of
// it.
AccountStatus status_of(const StatusQuestion& question, const state::AccountRow& row);

bool failing(const AccountStatus& status);
int exit_status_of(const AccountStatus& status);
Poco::JSON::Object::Ptr as_json(const AccountStatus& status);
void print_text(const AccountStatus& status, bool daemon_runs);

}  // namespace popsync
