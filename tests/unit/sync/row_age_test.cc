// SPDX-License-Identifier: MIT
// How old rows are, over boots, steps of the wall clock and time services that come and go. durability 9
#include "sync/row_age.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "base/random.h"
#include "state/transaction.h"
#include "support/thoroughness.h"
#include "unit/config/temp_folder.h"

namespace popsync::sync {
namespace {

using namespace std::chrono_literals;
using state::TakenTime;

// A machine with a state: its real time goes on, whatever its wall clock says.
class Machine {
 public:
  Machine() : store_(state::StateStore::open(folder_.path() + "/state")) {}

  TakenTime store() {
    auto transaction = store_->begin();
    const TakenTime time{.wall = std::chrono::floor<std::chrono::seconds>(clock.wall()), .clock = transaction.note_clock(clock.reading())};
    transaction.commit();
    return time;
  }
  void session() { store_->note_clock(clock.reading()); }
  [[nodiscard]] RowAges ages() { return row_ages(store_.get(), clock); }
  [[nodiscard]] std::chrono::seconds age(const TakenTime& time) { return ages().age(time); }
  // Off for so long; a clock without battery stands still then.
  void off(std::chrono::seconds length, bool battery = true) {
    const WallTime wall = clock.wall();
    clock.restart_machine();
    clock.set_wall(battery ? wall + length : wall);
  }
  // The right time comes from a time service.
  void synchronise(WallTime right) {
    clock.set_wall(right);
    clock.set_synchronised(true);
  }
  state::StateStore& state() { return *store_; }

  ManualClock clock;

 private:
  config::TempFolder folder_;
  std::unique_ptr<state::StateStore> store_;
};

TEST(RowAge, WithinABootTheBootClockTellsAndNothingElse) {
  Machine machine;
  const TakenTime time = machine.store();
  machine.clock.advance(48h);
  EXPECT_EQ(machine.age(time), 48h);
  machine.clock.set_wall(machine.clock.wall() + 21 * 24h);
  EXPECT_EQ(machine.age(time), 48h);
  machine.clock.set_wall(machine.clock.wall() - 1000 * 24h);
  machine.clock.set_synchronised(false);
  EXPECT_EQ(machine.age(time), 48h);
  machine.session();
  EXPECT_EQ(machine.age(time), 48h);
}

TEST(RowAge, OverBootsTheDateTellsWhereItWasAndIsRight) {
  Machine machine;
  const TakenTime time = machine.store();
  machine.clock.advance(2h);
  machine.off(24h);
  machine.clock.set_synchronised(false);
  machine.session();
  EXPECT_EQ(machine.age(time), 0s);
  EXPECT_TRUE(machine.ages().waits(time));
  machine.clock.set_synchronised(true);
  EXPECT_EQ(machine.age(time), 26h);
  EXPECT_FALSE(machine.ages().waits(time));
}

TEST(RowAge, OtherwiseItIsTheTimeSinceThisBootsFirstSession) {
  Machine machine;
  machine.clock.set_synchronised(false);
  const TakenTime time = machine.store();
  machine.clock.advance(5h);
  machine.off(1000h);
  machine.clock.advance(10min);
  machine.session();
  machine.clock.advance(3h);
  machine.session();
  EXPECT_EQ(machine.age(time), 3h);
}

// fake-hwclock: at the start the clock says when the machine was turned off.
TEST(RowAge, AMessageStoredByAClockThatIsBehindIsNoOlderWhenTheRightTimeComes) {
  Machine machine;
  machine.session();
  machine.off(21 * 24h, false);
  machine.clock.set_synchronised(false);
  machine.clock.advance(20s);
  const TakenTime early = machine.store();
  machine.clock.advance(10s);
  machine.synchronise(machine.clock.wall() + 21 * 24h);
  machine.session();
  EXPECT_EQ(machine.age(early), 10s);
  machine.clock.advance(1h);
  machine.off(24h);
  machine.session();
  EXPECT_EQ(machine.age(early), 25h + 10s) << "also after another start, by the time put right";
}

TEST(RowAge, ABootThatEndedBeforeTheTimeCameCountsFromTheNextSynchronisedSession) {
  Machine machine;
  machine.clock.set_synchronised(false);
  const TakenTime time = machine.store();
  machine.off(24h);
  machine.clock.advance(1min);
  machine.synchronise(machine.clock.wall());
  machine.session();
  machine.clock.advance(2h);
  machine.off(22h);
  machine.session();
  EXPECT_EQ(machine.age(time), 24h);
}

TEST(RowAge, AClockThatWasAheadDeletesNothingEarlyAndNothingTooLate) {
  Machine machine;
  const TakenTime before = machine.store();
  machine.clock.advance(1h);
  machine.clock.set_synchronised(false);  // the kernel takes it back when somebody sets the clock
  machine.clock.set_wall(machine.clock.wall() + 5 * 365 * 24h);
  machine.session();
  const TakenTime ahead = machine.store();
  EXPECT_EQ(machine.age(before), 1h);
  machine.clock.advance(1h);
  machine.synchronise(machine.clock.wall() - 5 * 365 * 24h);
  machine.session();
  EXPECT_EQ(machine.age(ahead), 1h);
  machine.off(24h);
  machine.session();
  EXPECT_EQ(machine.age(before), 26h);
  EXPECT_EQ(machine.age(ahead), 25h);
}

TEST(RowAge, AWrongClockThatPassedForRightIsTold) {
  Machine machine;
  machine.clock.set_wall(machine.clock.wall() + 5 * 365 * 24h);
  const TakenTime ahead = machine.store();
  machine.off(1h);
  machine.clock.set_wall(machine.clock.wall() - 5 * 365 * 24h);
  machine.session();
  EXPECT_TRUE(machine.ages().is_ahead(ahead));
  auto transaction = machine.state().begin();
  transaction.restart_clock(ahead.clock, machine.clock.reading());
  transaction.commit();
  EXPECT_FALSE(machine.ages().is_ahead(ahead));
  machine.clock.advance(1h);
  machine.off(1h);
  machine.session();
  EXPECT_EQ(machine.age(ahead), 2h);
}

TEST(RowAge, RowsWithoutAClockCountFromTheFirstSession) {
  Machine machine;
  const TakenTime old{.wall = machine.clock.wall() - 1000h, .clock = 0};
  machine.session();
  EXPECT_EQ(machine.age(old), 0s);
  machine.clock.advance(1h);
  EXPECT_EQ(machine.age(old), 1h);
  machine.off(24h);
  machine.session();
  EXPECT_EQ(machine.age(old), 25h);
}

TEST(RowAge, WhereBootsCannotBeToldApartOnlyTheDateCounts) {
  const auto reading = [](std::chrono::hours wall, bool synchronised) {
    return ClockReading{.wall = WallTime(wall), .boot_id = {}, .since_boot = 1h, .synchronised = synchronised};
  };
  state::ClockRow right = state::clock_behind({}, reading(100h, true));
  const TakenTime time{.wall = WallTime(100h), .clock = right.id};
  EXPECT_EQ(RowAges({right}, reading(130h, true)).age(time), 30h);
  EXPECT_EQ(RowAges({right}, reading(130h, false)).age(time), 0s);
}

TEST(RowAge, OfAClockThatIsNotThereNothingIsProved) {
  Machine machine;
  machine.session();
  machine.clock.advance(100h);
  EXPECT_EQ(machine.age({.wall = machine.clock.wall() - 50h, .clock = 99}), 0s);
  EXPECT_EQ(RowAges().age({}), 0s);
}

// Boots, steps, batteries that are empty and time services that come and go: no row ever seems older than it is. What a time service says is right.
TEST(RowAge, IsNeverMoreThanTheTruth) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto up_to = [&](std::chrono::seconds most) { return std::chrono::seconds(random() % static_cast<std::uint64_t>(most.count() + 1)); };
  for (std::uint64_t world = 0; world < test::random_cases(40, 2000); ++world) {
    Machine machine;
    machine.clock.set_synchronised(false);
    WallTime truth = machine.clock.wall();
    std::vector<std::pair<TakenTime, WallTime>> rows;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 6) {
        case 0: {
          const auto length = up_to(240h);
          machine.off(length, random() % 2 == 0);
          truth += length;
          machine.clock.set_synchronised(false);
          break;
        }
        case 1:
          machine.clock.set_wall(truth + up_to(1000h) - 500h);
          machine.clock.set_synchronised(false);
          break;
        case 2: machine.synchronise(truth); break;
        case 3: rows.emplace_back(machine.store(), truth); break;
        default: {
          const auto length = up_to(50h);
          machine.clock.advance(length);
          truth += length;
        }
      }
      if (random() % 2 == 0) machine.session();
      const RowAges ages = machine.ages();
      for (const auto& [time, stored] : rows) {
        ASSERT_LE(ages.age(time), truth - stored + kClockStep + 1s) << "world " << world << ", step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace popsync::sync
