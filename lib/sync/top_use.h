// SPDX-License-Identifier: MIT
// May a server be asked for headers (TOP)? Some servers and scanners change headers on the way, give the whole message, or lose their footing. What
// was seen of that is kept in the account's row; a server that cannot be believed is not asked for a while. Pure but for the log.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "state/rows.h"

namespace popsync::sync {

constexpr std::uint32_t kTopBreaksMax = 3;       // sessions in a row that ended over TOP: no accident
constexpr std::uint32_t kTopDifferencesMax = 3;  // messages whose header TOP told otherwise than RETR
// Ten lines, which some servers give whatever is asked for, are no more; who gives more of a body gives all of it, and TOP is as dear as RETR.
constexpr std::uint64_t kTopBodyOctetsMax = 1024;
constexpr std::chrono::days kTopOffFor{30};  // providers replace their servers; then it is tried again

[[nodiscard]] bool may_ask_top(const state::AccountRow& account, WallTime now);

// What was seen of TOP. Each may switch it off, with one warning. The caller stores the row.
void note_top_out_of_step(state::AccountRow& account, WallTime now);
void note_top_break(state::AccountRow& account, WallTime now);
void note_top_difference(state::AccountRow& account, WallTime now);
void note_top_whole_body(state::AccountRow& account, WallTime now);
// A session went through all it asked.
void note_top_good(state::AccountRow& account);

}  // namespace popsync::sync
