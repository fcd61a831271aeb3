// SPDX-License-Identifier: MIT
#include "sync/row_age.h"

#include <algorithm>

namespace popsync::sync {
namespace {

std::chrono::seconds whole(std::chrono::nanoseconds time) { return std::chrono::floor<std::chrono::seconds>(time); }

}  // namespace

RowAges::RowAges(std::vector<state::ClockRow> clocks, const ClockReading& now) : clocks_(std::move(clocks)), now_(now) {
  const auto newest = clocks_.empty() ? std::nullopt : std::optional(clocks_.back());
  present_ = newest && state::is_clock_of(*newest, now) ? *newest : state::clock_behind(newest, now);
}

std::chrono::seconds RowAges::age(const state::TakenTime& time) const {
  const state::ClockRow* clock = find(time.clock);
  if (clock == nullptr) return {};
  if (of_this_boot(*clock)) return std::max(std::chrono::seconds(0), whole(now_.since_boot - (time.wall.time_since_epoch() - clock->offset)));
  std::chrono::seconds proved{};
  // It was there before this boot's first session. Where boots cannot be told apart that is not known.
  if (!present_.boot_id.empty()) proved = whole(now_.since_boot - present_.first_session);
  if (clock->begins) return clock->begins_clock > clock->id ? std::max(proved, age({.wall = *clock->begins, .clock = clock->begins_clock})) : proved;
  const auto right = right_time(time, *clock);
  if (right && now_.synchronised) proved = std::max(proved, whole(now_.wall - *right));
  return proved;
}

bool RowAges::waits(const state::TakenTime& time) const {
  const state::ClockRow* clock = find(time.clock);
  return clock != nullptr && !now_.synchronised && !of_this_boot(*clock);
}

bool RowAges::is_ahead(const state::TakenTime& time) const {
  const state::ClockRow* clock = find(time.clock);
  if (clock == nullptr || !now_.synchronised || of_this_boot(*clock)) return false;
  if (clock->begins) return clock->begins_clock > clock->id && is_ahead({.wall = *clock->begins, .clock = clock->begins_clock});
  const auto right = right_time(time, *clock);
  return right && *right - now_.wall > kClockStep;
}

const state::ClockRow* RowAges::find(state::ClockId id) const {
  const auto found = std::ranges::lower_bound(clocks_, id, {}, &state::ClockRow::id);
  return found == clocks_.end() || found->id != id ? nullptr : &*found;
}

bool RowAges::of_this_boot(const state::ClockRow& clock) const { return !clock.boot_id.empty() && clock.boot_id == now_.boot_id; }

std::optional<WallTime> RowAges::right_time(const state::TakenTime& time, const state::ClockRow& clock) const {
  if (!clock.true_offset) return std::nullopt;
  return time.wall - clock.offset + *clock.true_offset;
}

RowAges row_ages(state::StateStore* store, const Clock& clock) { return store == nullptr ? RowAges() : RowAges(store->clocks(), clock.reading()); }

}  // namespace popsync::sync
