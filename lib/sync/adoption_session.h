// SPDX-License-Identifier: MIT
// popsync adopt: takes mail that another program fetched for messages that are known (adoption.h). Asks for headers, downloads no body, deletes
// nothing. All that is found is one commit, after the session has ended: killed before it, nothing is known yet and it can be done again.
//
// It belongs to lib/sync, not to a folder of its own, because it is a session of one account, opens what a sync opens and asks for headers as
// rekeying does.
#pragma once

#include <cstdint>

#include "sync/account_sync.h"

namespace popsync::sync {

struct Adoption {
  std::uint64_t files = 0;     // mail in the Maildir that no row knew
  std::uint64_t listed = 0;    // messages on the server
  std::uint64_t adopted = 0;   // recorded as SEEN
  std::uint64_t doubtful = 0;  // of them: never deleted on the server
  std::uint64_t relearnt = 0;  // recognised by names of our own
  std::uint64_t to_fetch = 0;  // of those listed, what the next sync fetches
};

// Takes a Maildir without id, or of another state that is not at work there, into use. Throws Error: usage for an mbox, server_permanent if the
// server gives no headers.
Adoption adopt_account(const SyncServices& services, const SyncRequest& request);

}  // namespace popsync::sync
