// SPDX-License-Identifier: MIT
// Asks the server for the headers of messages (TOP n 0), sent ahead where PIPELINING holds, each with its marker; only their hashes are kept.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "net/pop3_client.h"
#include "net/retrieval.h"
#include "state/rows.h"
#include "sync/rekeying.h"

namespace popsync::sync {

// Appends the headers of the next `count` messages of `unknown`, those of the first headers.size() being there. One that the server refuses or cuts
// has no hash. Throws what the connection throws; after desynchronised, account.top_fails is set.
void ask_for_headers(net::Pop3Client& client, state::AccountRow& account, net::Marker marker, std::span<const pop3::ListingEntry> unknown,
                     std::size_t count, std::vector<ListedHeader>& headers);

}  // namespace popsync::sync
