// SPDX-License-Identifier: MIT
// Ages of rows that name no clock, as a clock tells them that was always right: by the date alone.
#pragma once

#include "sync/row_age.h"

namespace popsync::test {

inline sync::RowAges ages_by_date(WallTime now) {
  state::ClockRow right;
  right.synchronised = true;
  right.true_offset = std::chrono::seconds(0);
  return {{right}, {.wall = now, .boot_id = {}, .since_boot = {}, .synchronised = true}};
}

}  // namespace popsync::test
