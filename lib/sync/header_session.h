// SPDX-License-Identifier: MIT
// Asks the server for the headers of messages (TOP n 0), sent ahead where PIPELINING holds, each with its marker; only their hashes are kept.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/clock.h"
#include "net/pop3_client.h"
#include "net/retrieval.h"
#include "state/rows.h"
#include "sync/rekeying.h"

namespace popsync::sync {

struct HeaderQuestion {
  net::Pop3Client& client;
  state::AccountRow& account;  // what is seen of TOP is noted in it (top_use.h); the caller stores it
  net::Marker marker = net::Marker::unknown;
  WallTime now{};
};

// Is this the header of the stored message? Without a Message-ID it proves nothing.
bool is_header_of(const ListedHeader& header, const state::StoredPrints& prints);

// Appends the headers of the next `count` messages of `listed`, those of the first headers.size() being there. One that the server refuses or cuts
// has no hash. Throws what the connection throws; if the server ended the session over one of them, `suspect` is set to its place in `listed`.
void ask_for_headers(const HeaderQuestion& question, std::span<const pop3::ListingEntry> listed, std::size_t count,
                     std::vector<ListedHeader>& headers, std::optional<std::size_t>* suspect = nullptr);

}  // namespace popsync::sync
