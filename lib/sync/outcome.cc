// SPDX-License-Identifier: MIT
#include "sync/outcome.h"

#include "state/transaction.h"

namespace popsync::sync {
namespace {

bool worth_writing(const state::AccountRow& before, const state::AccountRow& after, std::chrono::seconds bookkeeping_every) {
  const bool learnt = before.marker != after.marker || before.policy != after.policy || before.secret_worked != after.secret_worked ||
                      before.complete_listings != after.complete_listings || before.last_listing_count != after.last_listing_count ||
                      before.equal_settlements != after.equal_settlements || before.rekeyings != after.rekeyings ||
                      before.top_breaks != after.top_breaks || before.top_differences != after.top_differences ||
                      before.top_off_since != after.top_off_since || before.surprises != after.surprises || before.expire_days != after.expire_days ||
                      before.login_delay != after.login_delay || before.last_login != after.last_login;
  const bool turned = after.last_error || before.last_error || before.consecutive_failures != after.consecutive_failures || !before.last_success;
  return learnt || turned || *after.last_attempt - *before.last_success >= bookkeeping_every;
}

bool worth_writing(const state::ServerMemory& before, state::ServerMemory after) {
  if (before.listing && after.listing) after.listing->looks = before.listing->looks;
  return before != after;
}

}  // namespace

void record_outcome(state::StateStore& store, const Clock& clock, const AccountState& before, const AccountState& learnt, const SyncReport& report,
                    std::chrono::seconds bookkeeping_every) {
  const WallTime now = clock.wall();
  state::AccountRow after = learnt.row;
  after.last_attempt = now;
  if (report.result == SyncResult::ok) {
    after.last_success = now;
    after.consecutive_failures = 0;
    after.last_error.reset();
    after.needs_operator = false;
  } else if (report.error && report.result == SyncResult::error) {
    ++after.consecutive_failures;
    after.last_error = state::LastError{
        .at = now, .code = std::string(name_of(report.error->code())), .message = report.error->message(), .hint = report.error->hint()};
  }
  if (!worth_writing(before.row, after, bookkeeping_every) && !worth_writing(before.server, learnt.server)) return;
  auto transaction = store.begin();
  transaction.update_account(after);
  if (before.server != learnt.server) transaction.remember_server(after.id, learnt.server);
  transaction.commit();
}

}  // namespace popsync::sync
