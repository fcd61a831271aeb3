// SPDX-License-Identifier: MIT
#include "sync/top_use.h"

#include <string>

#include "base/format.h"
#include "base/log.h"

namespace popsync::sync {
namespace {

void switch_off(state::AccountRow& account, WallTime now, const std::string& why) {
  account.top_off_since = now;
  account.top_breaks = 0;
  account.top_differences = 0;
  log_warning(account.name,
              why + "; it is not asked for headers before " + rfc3339_utc(now + kTopOffFor) + ", messages are retrieved to compare them");
}

}  // namespace

bool may_ask_top(const state::AccountRow& account, WallTime now) { return !account.top_off_since || now - *account.top_off_since >= kTopOffFor; }

void note_top_out_of_step(state::AccountRow& account, WallTime now) { switch_off(account, now, "the server's answers to TOP fall out of step"); }

void note_top_break(state::AccountRow& account, WallTime now) {
  if (++account.top_breaks >= kTopBreaksMax) switch_off(account, now, "the server ended " + counted(kTopBreaksMax, "session") + " over TOP");
}

void note_top_difference(state::AccountRow& account, WallTime now) {
  if (++account.top_differences < kTopDifferencesMax) return;
  switch_off(account, now, "the server's answers to TOP differ from the messages themselves (" + counted(kTopDifferencesMax, "message") + ")");
}

void note_top_whole_body(state::AccountRow& account, WallTime now) { switch_off(account, now, "the server answers TOP with the whole message"); }

void note_top_good(state::AccountRow& account) { account.top_breaks = 0; }

}  // namespace popsync::sync
