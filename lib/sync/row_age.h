// SPDX-License-Identifier: MIT
// How old a row is, as far as that is proved: a step of the wall clock never adds age (docs/durability.md). Pure.
//
// Within one boot the boot clock tells. Over boots the wall clock does, where it was right then and is right now. Otherwise a row is at least as old
// as this boot's first session, because it was there by then. Each of these can only be too low, so the largest counts.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "state/state_store.h"

namespace popsync::sync {

class RowAges {
 public:
  // For whoever asks for no age: nothing has any.
  RowAges() = default;
  // `clocks` in the order in which they began; `now` is read from the last one, or from one that has no row yet.
  RowAges(std::vector<state::ClockRow> clocks, const ClockReading& now);

  // Not below zero.
  [[nodiscard]] std::chrono::seconds age(const state::TakenTime& time) const;
  // Would the date tell more than age() does, if only the clock was synchronised?
  [[nodiscard]] bool waits(const state::TakenTime& time) const;
  // The time is right by its own clock, this clock is right as well, and the time has not come yet: one of them was wrong after all.
  [[nodiscard]] bool is_ahead(const state::TakenTime& time) const;
  // The wall clock, whatever it is worth.
  [[nodiscard]] WallTime now() const { return now_.wall; }
  // Since when the clock has been as it is: synchronised or not.
  [[nodiscard]] WallTime since() const { return present_.since; }

 private:
  [[nodiscard]] const state::ClockRow* find(state::ClockId id) const;
  [[nodiscard]] bool of_this_boot(const state::ClockRow& clock) const;
  // As a right clock would have told it; empty if none did.
  [[nodiscard]] std::optional<WallTime> right_time(const state::TakenTime& time, const state::ClockRow& clock) const;

  std::vector<state::ClockRow> clocks_;
  state::ClockRow present_;
  ClockReading now_;
};

// By the clocks in the state. Null: a state that was never used.
RowAges row_ages(state::StateStore* store, const Clock& clock);

}  // namespace popsync::sync
