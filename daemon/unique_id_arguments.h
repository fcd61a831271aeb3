// SPDX-License-Identifier: MIT
// UID arguments as users give them, against rows or a listing.
#pragma once

#include <string>
#include <vector>

#include "pop3/types.h"
#include "program.h"
#include "state/state_store.h"
#include "sync/fetch_plan.h"
#include "sync/row_names.h"

namespace popsync {

// Throws Error unknown_uid if the text is not of a form that list prints.
sync::MessageName parse_name_argument(const std::string& text, const std::string& account);
// `account` has no such message.
[[noreturn]] void refuse_unknown_uid(const std::string& text, const std::string& account);
// The rows of the account that the texts name, each once; staged ones are recovery's and not to be named: their files may be published already.
// Throws Error unknown_uid.
std::vector<state::MessageRow> rows_named(state::StateStore& store, const state::AccountRow& account, const std::vector<std::string>& texts);

// What the state knows of the messages of an account, and so what they are called.
class KnownMessages {
 public:
  // Without a state, or without a row of the account, nothing is known. All must outlive it.
  KnownMessages(const Program& program, const config::Account& account, state::StateStore* store);

  // Of the entries of a listing, in their order.
  [[nodiscard]] std::vector<sync::EntryName> names_in(const std::vector<pop3::ListingEntry>& entries) const;
  // What they are called; empty for one that has no name: of a server without UIDL, and neither held nor skipped.
  [[nodiscard]] std::vector<std::string> texts_of(const std::vector<pop3::ListingEntry>& entries, const std::vector<sync::EntryName>& names) const;

 private:
  const config::Account& account_;
  state::AccountRow stored_;
  std::vector<state::MessageRow> rows_;
};

}  // namespace popsync
