// SPDX-License-Identifier: MIT
#include "state/server_memory.h"

#include "state/columns.h"
#include "state/state_store_impl.h"

namespace popsync::state {

ServerMemory StateStore::server_memory(std::string_view account_id) {
  const std::lock_guard lock(impl_->mutex);
  return guarded([&] {
    ServerMemory memory;
    SQLite::Statement& row = impl_->statement("SELECT * FROM server_memory WHERE account = ?");
    const ResetAtEnd reset(row);
    row.bind(1, std::string(account_id));
    if (!row.executeStep()) return memory;
    if (const auto asked = time_at(row.getColumn("capabilities_asked"))) {
      memory.capabilities = KnownCapabilities{.where = row.getColumn("capabilities_where").getString(),
                                              .before_login = octets_at(row.getColumn("before_login")),
                                              .after_login = octets_at(row.getColumn("after_login")),
                                              .asked = *asked};
    }
    memory.failures_ahead = small_at(row.getColumn("failures_ahead"));
    if (const auto count = number_at(row.getColumn("listing_count"))) {
      memory.listing = KnownListing{.policy = row.getColumn("listing_policy").getString(),
                                    .count = *count,
                                    .octets = count_at(row.getColumn("listing_octets")),
                                    .last = {octets_at(row.getColumn("listing_last"))},
                                    .completed = from_unix_seconds(row.getColumn("listing_completed").getInt64()),
                                    .looks = small_at(row.getColumn("listing_looks"))};
    }
    return memory;
  });
}

}  // namespace popsync::state
