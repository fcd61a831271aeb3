// SPDX-License-Identifier: MIT
// The part of a session that follows a server which has given its messages new unique-ids (rekeying.h): asks for headers, writes the new unique-ids.
// All of them are written in one commit, before anything is fetched: killed before it, the next session finds the same and does the same; killed
// after it, the messages are known. Used by one thread, with the account's lock held.
#pragma once

#include <functional>
#include <vector>

#include "net/pop3_client.h"
#include "net/retrieval.h"
#include "state/state_store.h"
#include "sync/rekeying.h"

namespace popsync::sync {

struct RekeyingContext {
  net::Pop3Client& client;
  std::function<net::Marker(const pop3::ListingEntry&)> learn_marker;  // by asking for this entry, if account.marker is not known
  state::StateStore& store;
  state::AccountRow& account;  // rekeyings and what is seen of TOP are set, a known marker is learnt anew
  const PlanPolicy& policy;
};

// What to re-key; mostly nothing, at no cost then. Writes nothing. Throws Error server_permanent if the messages look like the old ones and nothing
// tells them from new ones: fetching could double all, and taking them for known could lose mail, so the operator decides. Throws what the connection
// throws.
std::vector<Rekeying> find_rekeyings(const RekeyingContext& context, std::span<const pop3::ListingEntry> listing,
                                     std::span<const state::MessageRow> rows);

// The same, and writes them in one transaction. True if rows were changed.
bool follow_new_unique_ids(const RekeyingContext& context, std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows);

// What they would change, on rows in memory: for a dry run.
void apply_rekeyings(std::span<const Rekeying> rekeyings, std::vector<state::MessageRow>& rows);

// At the end of a session: Error server_permanent if that happens in session after session. By then everything is fetched; the error
// makes the daemon come once a day, for each session asks for every header.
void refuse_restless_unique_ids(const state::AccountRow& account);

}  // namespace popsync::sync
