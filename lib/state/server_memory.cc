// SPDX-License-Identifier: MIT
#include "state/server_memory.h"

#include <utility>

#include "base/log.h"
#include "state/columns.h"
#include "state/state_store_impl.h"
#include "state/transaction_hold.h"

namespace popsync::state {

void StateStore::begin_use_of_server_memory() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->use_mark) return;
  }
  // It holds the lock on commits: of two processes that start at once none takes the other's new mark for one left behind, and none reads what the
  // other is about to forget.
  auto transaction = begin();
  UseMark mark(impl_->directory);
  const auto left = marks_left_behind(impl_->directory);
  if (!left.empty()) {
    log_debug("", "an earlier popsync ended badly: what was remembered of servers is asked for again");
    transaction.distrust_servers();
  }
  transaction.commit();
  remove_marks(impl_->directory, left);  // not before: a crash between the two repeats both
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->use_mark) impl_->use_mark.emplace(std::move(mark));
}

ServerMemory StateStore::server_memory(std::string_view account_id) {
  begin_use_of_server_memory();
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

void Transaction::remember_server(std::string_view account, const ServerMemory& memory) {
  hold_->run(
      "INSERT OR REPLACE INTO server_memory(account, failures_ahead, capabilities_where, before_login, after_login, capabilities_asked, "
      "listing_policy, listing_count, listing_octets, listing_last, listing_completed, listing_looks) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      [&](SQLite::Statement& row) {
        row.bind(1, std::string(account));
        row.bind(2, static_cast<std::int64_t>(memory.failures_ahead));
        if (memory.capabilities) {
          row.bind(3, memory.capabilities->where);
          bind_octets(row, 4, memory.capabilities->before_login);
          bind_octets(row, 5, memory.capabilities->after_login);
          bind_time(row, 6, memory.capabilities->asked);
        }
        if (memory.listing) {
          row.bind(7, memory.listing->policy);
          row.bind(8, signed_of(memory.listing->count));
          row.bind(9, signed_of(memory.listing->octets));
          bind_octets(row, 10, memory.listing->last.octets);
          bind_time(row, 11, memory.listing->completed);
          row.bind(12, static_cast<std::int64_t>(memory.listing->looks));
        }
      });
}

void Transaction::distrust_servers() {
  hold_->run("UPDATE server_memory SET capabilities_asked = NULL, before_login = NULL, after_login = NULL, listing_count = NULL",
             [](SQLite::Statement&) {});
}

}  // namespace popsync::state
