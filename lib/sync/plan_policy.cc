// SPDX-License-Identifier: MIT
#include "sync/plan_policy.h"

#include <utility>

#include "base/error.h"

namespace popsync::sync {

bool hides_messages(const AccountSettings& settings) {
  return settings.endpoint.host == "pop.gmail.com" || settings.endpoint.host == "pop.googlemail.com";
}

LeavePolicy leave_policy(const AccountSettings& settings) { return hides_messages(settings) ? LeavePolicy{} : settings.leave; }

PlanPolicy policy_for(const AccountSettings& settings, const state::AccountRow& account, bool unique_ids, RowAges ages) {
  return {.leave = leave_policy(settings),
          .max_message_size = settings.max_message_size,
          .unique_ids = unique_ids,
          .sizes_mean_something = account.equal_settlements < state::kEqualSettlementsMax,
          .hides_messages = hides_messages(settings),
          .ages = std::move(ages),
          .complete_listings = account.complete_listings,
          .last_listing_count = account.last_listing_count};
}

void need_unique_ids(const net::MaildropListing& listing, const AccountSettings& settings) {
  if (listing.unique_ids || settings.leave.kind == LeavePolicy::Kind::remove) return;
  throw Error(ErrorCode::server_permanent, "the server has no UIDL, so messages left on it could not be told from new ones",
              "set leave_on_server = false for this account: fetch and delete is the only safe way there");
}

}  // namespace popsync::sync
