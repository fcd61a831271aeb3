// SPDX-License-Identifier: MIT
// leave_on_server = "14d" on machines whose clock is wrong, or was: a step of the wall clock never adds age. durability 9
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/stored_state.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

using std::chrono::hours;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr hours kDay{24};

// On a clock that the test moves.
struct DeletionByAge : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 6; ++i) server.add(small_message("message " + std::to_string(i)));
    popsync.leave({.kind = sync::LeavePolicy::Kind::remove_after, .age = 14 * kDay}, "14d");
    popsync.clock.set_synchronised(false);
  }
  std::uint64_t deleted() {
    const sync::SyncReport report = popsync.sync();
    EXPECT_FALSE(report.error) << report.error->what();
    return report.deleted;
  }
  void step(std::chrono::seconds by) { popsync.clock.set_wall(popsync.clock.wall() + by); }

  MaildropServer server;
  SyncInProcess popsync{server};
};

TEST_F(DeletionByAge, OfWhatAClockThatWasBehindHasStoredIsNotHurriedByTheRightTime) {
  EXPECT_EQ(deleted(), 0U);
  step(21 * kDay);  // fake-hwclock knew when the machine was turned off; now the time service has answered
  popsync.clock.set_synchronised(true);
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.restart_machine();
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(14 * kDay);
  EXPECT_EQ(deleted(), 6U);
}

TEST_F(DeletionByAge, IsNeitherHurriedByAClockAheadNorLateForIt) {
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(7 * kDay);
  step(5 * 365 * kDay);
  server.add(small_message("stored ahead"));
  EXPECT_EQ(deleted(), 0U);
  step(-5 * 365 * kDay);
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(7 * kDay);
  EXPECT_EQ(deleted(), 6U);
  popsync.clock.advance(7 * kDay);
  EXPECT_EQ(deleted(), 1U);
}

TEST_F(DeletionByAge, WaitsAfterAStartUntilTheClockIsSynchronisedAndSaysSo) {
  popsync.clock.set_synchronised(true);
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(20 * kDay);
  popsync.clock.restart_machine();
  popsync.clock.set_synchronised(false);
  const WallTime since = popsync.clock.wall();
  const sync::SyncReport waiting = popsync.sync();
  EXPECT_EQ(waiting.deleted, 0U);
  EXPECT_EQ(waiting.deletion_waits_since, since);
  popsync.clock.advance(hours(1));
  EXPECT_EQ(popsync.sync().deletion_waits_since, since);
  popsync.clock.set_synchronised(true);
  const sync::SyncReport done = popsync.sync();
  EXPECT_EQ(done.deleted, 6U);
  EXPECT_FALSE(done.deletion_waits_since);
}

TEST_F(DeletionByAge, RunsByTheBootClockWhereNoTimeEverCame) {
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(10 * kDay);
  popsync.clock.restart_machine();
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(14 * kDay - hours(1));
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.advance(hours(1));
  const sync::SyncReport done = popsync.sync();
  EXPECT_EQ(done.deleted, 6U);
  EXPECT_FALSE(done.deletion_waits_since);
}

TEST_F(DeletionByAge, SaysNothingWhereNothingIsDeletedByAge) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::keep, .age = {}}, "keep");
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.restart_machine();
  EXPECT_FALSE(popsync.sync().deletion_waits_since);
}

TEST_F(DeletionByAge, OfWhatAWrongClockThatPassedForRightHasStoredCountsFromNow) {
  popsync.clock.set_synchronised(true);
  step(5 * 365 * kDay);
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.restart_machine();
  step(-5 * 365 * kDay);
  EXPECT_EQ(deleted(), 0U);
  popsync.clock.restart_machine();
  popsync.clock.advance(14 * kDay);
  EXPECT_EQ(deleted(), 6U);
}

// A poll that finds nothing due does not list the maildrop.
TEST_F(DeletionByAge, IsLookedForWithoutAListing) {
  EXPECT_EQ(deleted(), 0U);
  EXPECT_EQ(deleted(), 0U);
  server.clear_record();
  popsync.clock.restart_machine();
  EXPECT_EQ(deleted(), 0U);
  EXPECT_EQ(server.record().count("LIST"), 0U);
  popsync.clock.advance(kDay - hours(1));
  EXPECT_EQ(deleted(), 0U);
  EXPECT_EQ(server.record().count("LIST"), 0U);
}

TEST_F(DeletionByAge, ForgettingCountsItsDaysTheSameWay) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::keep, .age = {}}, "keep");
  EXPECT_EQ(deleted(), 0U);
  server.remove(server.uids().front());
  const auto list_whole = [&] {
    server.add(small_message("another"));
    server.remove(server.uids().back());  // so that no glance is enough
    popsync.settings.leave_text += "+";
    EXPECT_EQ(deleted(), 0U);
  };
  for (int i = 0; i < 12; ++i) list_whole();
  step(60 * kDay);
  list_whole();
  EXPECT_EQ(popsync.store().messages(popsync.store().accounts()[0].id).size(), 6U);
  popsync.clock.advance(30 * kDay);
  list_whole();
  EXPECT_EQ(popsync.store().messages(popsync.store().accounts()[0].id).size(), 5U);
}

// The real program; what another clock or boot left is written into its state.
struct DeletionByAgeOfTheProgram : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 6; ++i) server.add(small_message("message " + std::to_string(i)));
    configure("auto");
  }
  void configure(const std::string& clock) {
    home.configure_all({{.port = server.port(), .more = {"leave_on_server = \"14d\""}}}, {"clock = \"" + clock + "\""});
  }
  std::string deleted() {
    const ProgramResult result = home.run({"sync", "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json_at(result.out, "accounts[0].deleted");
  }
  void change(const std::string& sql) { change_state(home.state_dir(), sql); }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(DeletionByAgeOfTheProgram, IsNotHurriedByAClockThatWasBehind) {
  EXPECT_EQ(deleted(), "0");
  change("UPDATE message SET stored_at = stored_at - 21 * 86400; UPDATE clocks SET boot_offset = boot_offset - 21 * 86400");
  EXPECT_EQ(deleted(), "0");
  EXPECT_EQ(server.count(), 6U);
}

TEST_F(DeletionByAgeOfTheProgram, IsNotLateForAClockThatWasAhead) {
  EXPECT_EQ(deleted(), "0");
  change("UPDATE message SET stored_at = stored_at + 1800 * 86400; UPDATE clocks SET boot_offset = boot_offset + 1815 * 86400");
  EXPECT_EQ(deleted(), "6");
}

TEST_F(DeletionByAgeOfTheProgram, CountsFromTheFirstSessionForRowsWithoutAClock) {
  EXPECT_EQ(deleted(), "0");
  change("UPDATE message SET stored_at = stored_at - 30 * 86400, stored_clock = 0; DELETE FROM clocks");
  EXPECT_EQ(deleted(), "0");
  EXPECT_EQ(deleted(), "0");
  change("UPDATE clocks SET begins = begins - 14 * 86400 - 60 WHERE id = 0");  // a minute more: times are kept in seconds
  EXPECT_EQ(deleted(), "6");
}

TEST_F(DeletionByAgeOfTheProgram, GoesByTheDateOverBootsWhereTheOperatorVouchesForIt) {
  configure("trusted");
  EXPECT_EQ(deleted(), "0");
  change("UPDATE clocks SET boot_id = 'another'; UPDATE message SET stored_at = stored_at - 14 * 86400 + 3600");
  EXPECT_EQ(deleted(), "0");
  change("UPDATE message SET stored_at = stored_at - 3600");
  EXPECT_EQ(deleted(), "6");
}

TEST_F(DeletionByAgeOfTheProgram, OfABootThatEndedWithoutTheTimeCountsFromTheNextRightClock) {
  EXPECT_EQ(deleted(), "0");
  change("UPDATE clocks SET boot_id = 'another', synchronised = 0, true_offset = NULL; UPDATE message SET stored_at = stored_at - 30 * 86400");
  configure("trusted");
  EXPECT_EQ(deleted(), "0");
  EXPECT_EQ(deleted(), "0");
}

// Whether the machine that runs the tests has a time service is its own affair: both ways are right as told.
TEST_F(DeletionByAgeOfTheProgram, TellsThatItWaitsIfTheClockIsNotSynchronised) {
  configure("trusted");
  EXPECT_EQ(deleted(), "0");
  change("UPDATE clocks SET boot_id = 'another'; UPDATE message SET stored_at = stored_at - 30 * 86400");
  configure("auto");
  const bool waits = !system_clock().reading().synchronised;
  const auto told = [&](const std::string& text) {
    return waits ? testing::Matcher<const std::string&>(AllOf(HasSubstr("deletion by age waits since 20"), HasSubstr("a time service ends it"),
                                                              HasSubstr("clock = \"trusted\""), HasSubstr(text)))
                 : testing::Matcher<const std::string&>(Not(HasSubstr("deletion by age waits")));
  };
  EXPECT_THAT(home.run({"status"}).out, told(""));
  EXPECT_THAT(home.run({"check"}).out, told("clock: warning"));
  EXPECT_THAT(home.run({"sync"}).out, told("home: "));
  EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "accounts[0].deletion_waits_since") == "null", !waits);
  EXPECT_EQ(server.count(), waits ? 6U : 0U);
  configure("trusted");
  EXPECT_EQ(deleted(), waits ? "6" : "0");
  EXPECT_THAT(home.run({"status"}).out, Not(HasSubstr("deletion by age waits")));
}

}  // namespace
}  // namespace popsync::test
