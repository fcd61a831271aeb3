// SPDX-License-Identifier: MIT
#include "sync/clock_trouble.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/fetch_plan.h"
#include "sync/plan_policy.h"
#include "sync/row_age.h"

namespace popsync::sync {

void restart_clocks_ahead(state::StateStore& store, const Clock& clock, std::span<const state::MessageRow> rows) {
  const RowAges ages = row_ages(&store, clock);
  std::set<state::ClockId> ahead;
  WallTime last{};
  const auto look = [&](const state::TakenTime& time) {
    if (!ages.is_ahead(time)) return;
    ahead.insert(time.clock);
    last = std::max(last, time.wall);
  };
  for (const state::MessageRow& row : rows) {
    look({.wall = row.stored_at, .clock = row.stored_clock});
    if (row.absent_since) look({.wall = *row.absent_since, .clock = row.absent_clock});
  }
  if (ahead.empty()) return;
  auto transaction = store.begin();
  for (const state::ClockId id : ahead) transaction.restart_clock(id, clock.reading());
  transaction.commit();
  log_warning("", "messages were stored while the clock was ahead, up to " + rfc3339_utc(last) + "; their age counts from now on");
}

std::optional<WallTime> deletion_waits_since(state::StateStore& store, const Clock& clock, const std::string& account_id,
                                             const AccountSettings& settings) {
  const LeavePolicy leave = leave_policy(settings);
  if (leave.kind != LeavePolicy::Kind::remove_after || clock.reading().synchronised) return std::nullopt;
  const RowAges ages = row_ages(&store, clock);
  const auto oldest =
      store.oldest_removable(account_id, {.deletions_max = kDeletionsMax, .tries_max = kTriesMax, .message_size_max = settings.max_message_size});
  const bool waits = std::ranges::any_of(oldest, [&](const state::TakenTime& stored) { return ages.waits(stored) && ages.age(stored) < leave.age; });
  return waits ? std::optional(ages.since()) : std::nullopt;
}

std::string deletion_waits_text(WallTime since) {
  return "deletion by age waits since " + rfc3339_utc(since) +
         ": the clock is not synchronised, so how old the messages are that were stored before the machine started is not known";
}

std::string deletion_waits_hint() {
  return "a time service ends it (systemd-timesyncd, chrony), or clock = \"trusted\" in [daemon] if the clock is right without one";
}

}  // namespace popsync::sync
