// SPDX-License-Identifier: MIT
// Which marker (net/retrieval.h) the server of an account answers: learnt once and kept in the account's row. A server that ends the session over the
// question is asked twice, and then gets one command at a time. One that ends it over the listing with the question beside it gets them apart.
#pragma once

#include "net/pop3_client.h"
#include "net/retrieval.h"
#include "state/rows.h"
#include "sync/maildrop_look.h"

namespace popsync::sync {

class MarkerMemory {
 public:
  // `account` must outlive it; the caller stores it, also when a session has failed.
  explicit MarkerMemory(state::AccountRow& account) : account_(account) {}

  // The known one, or found by asking for this entry (two round trips at most).
  net::Marker learn(net::Pop3Client& client, const pop3::ListingEntry& entry);
  // A look at the maildrop; a marker that is not known is asked for beside the listing, which costs nothing where PIPELINING holds.
  MaildropLook look(LookContext context, const std::optional<state::KnownListing>& last);
  // Answers were out of step: it is to be learnt anew, by a question of its own when a message is to be retrieved.
  void forget();

 private:
  state::AccountRow& account_;
};

}  // namespace popsync::sync
