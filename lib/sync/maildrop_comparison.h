// SPDX-License-Identifier: MIT
// Is the maildrop of another user the one that an account's rows are of? Unique-id and size are no proof: many servers number from 1. So a sample of
// the rows that are listed (sample.h) is recognised as in any session (confirming.h), by TOP or by RETR. Nothing is stored or deleted, here or there:
// what was retrieved is compared in memory, and after a message of somebody else the connection ends without QUIT.
#pragma once

#include <cstdint>
#include <string>

#include "state/rows.h"
#include "sync/account_sync.h"

namespace popsync::sync {

struct MaildropComparison {
  std::uint64_t listed = 0;     // messages that the server has
  std::uint64_t in_common = 0;  // of these, known by unique-id and size
  std::uint64_t looked_at = 0;  // of these, compared with what is stored
  std::uint64_t equal = 0;      // of these, found to be the stored ones
  std::uint64_t to_fetch = 0;   // what a sync would fetch
  bool unique_ids = true;
  std::string other = {};  // the first message that is another one, by name

  enum class Verdict {
    same,
    another,  // one message of the sample is another one
    unclear,  // nothing was found in common, or it could not be compared
  };
  [[nodiscard]] Verdict verdict() const;
};

// Under the account's lock, with the login of `request`; at most `services.confirm` is asked for. What is learnt of the server is noted in `account`.
// Throws what a session throws.
MaildropComparison compare_maildrop(const SyncServices& services, const SyncRequest& request, state::AccountRow& account);

}  // namespace popsync::sync
