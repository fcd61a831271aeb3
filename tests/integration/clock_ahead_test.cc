// SPDX-License-Identifier: MIT
// The real program with a state that a clock of 2031 has left: nothing waits for that date.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/stored_state.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct ClockAhead : testing::Test {
  void SetUp() override {
    server.add(small_message("message"));
    home.configure({.port = server.port()});
    EXPECT_EQ(home.run({"sync"}).status, 0);
  }
  void refuse() {
    server.change([](MaildropKnobs& knobs) {
      knobs.faults = {{.verb = "AUTH", .reply = "-ERR [AUTH] not now"}, {.verb = "PASS", .reply = "-ERR no"}};
    });
    EXPECT_EQ(home.run({"sync"}).status, 77);
    server.set_knobs({});
    server.clear_record();
  }
  void change(const std::string& sql) { change_state(home.state_dir(), sql); }
  // Seconds from now on.
  [[nodiscard]] long ahead(const std::string& column, const std::string& table = "account") const {
    return std::stol(ask_state(home.state_dir(), "SELECT " + column + " - unixepoch() FROM " + table));
  }
  ProgramResult sync() { return home.run({"sync"}); }

  MaildropServer server;
  ProgramHome home;
};

constexpr const char* kWarning = "the state tells of times ahead of the clock, up to 2031-";
// As it is when the clock of the last attempt said 2031.
constexpr const char* kIn2031 =
    "UPDATE account SET last_attempt = 1930000000, last_success = last_success + 1930000000 - unixepoch(), error_at = 1930000000, "
    "next_sync = 1930000000 + next_sync_delay";

TEST_F(ClockAhead, ARefusedLoginIsTriedWithinOneDelay) {
  refuse();
  change(kIn2031);
  const ProgramResult cron = sync();
  EXPECT_EQ(cron.status, 77);
  EXPECT_THAT(cron.err, AllOf(HasSubstr(kWarning), HasSubstr("not tried")));
  EXPECT_LE(ahead("next_sync"), ahead("next_sync_delay + unixepoch()"));
  EXPECT_GT(ahead("next_sync"), 0);
  EXPECT_THAT(sync().err, Not(HasSubstr("ahead of the clock")));
  EXPECT_EQ(server.record().sessions, 0U);
  change("UPDATE account SET next_sync = next_sync - next_sync_delay");  // a delay later
  EXPECT_EQ(sync().status, 0);
}

TEST_F(ClockAhead, ADaemonIsToldOnceAndPlansWithinOneDelay) {
  refuse();
  change(kIn2031);
  const auto daemon = home.start({"run"});
  EXPECT_TRUE(daemon->wait_for_err("not tried, it needs an operator"));
  daemon->signal(SIGTERM);
  const ProgramResult ended = daemon->wait();
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, HasSubstr(kWarning));
  EXPECT_LE(ahead("next_sync"), 7 * 3600);
  EXPECT_LE(ahead("last_attempt"), 0);
}

TEST_F(ClockAhead, EachTimeAtWhichSomethingHappenedBecomesNow) {
  for (const std::string column : {"last_attempt", "last_success", "error_at", "last_login"}) {
    change("UPDATE account SET " + column + " = 1930000000");
    EXPECT_THAT(sync().err, HasSubstr(kWarning)) << column;
    const std::string now = ask_state(home.state_dir(), "SELECT " + column + " FROM account");
    if (!now.empty()) {
      EXPECT_LE(ahead(column), 1) << column;
    }
    EXPECT_THAT(sync().err, Not(HasSubstr(kWarning))) << column;
  }
}

TEST_F(ClockAhead, WhatIsRememberedOfTheServerIsAskedAnewAndDatedNow) {
  change("UPDATE server_memory SET capabilities_asked = 1930000000, listing_completed = 1930000000");
  server.clear_record();
  EXPECT_EQ(sync().status, 0);
  EXPECT_GE(server.record().count("CAPA"), 1U);
  EXPECT_GE(server.record().count("LIST"), 1U);
  EXPECT_LE(ahead("capabilities_asked", "server_memory"), 0);
  EXPECT_LE(ahead("listing_completed", "server_memory"), 0);
}

TEST_F(ClockAhead, ALoginThatWantsADelayWaitsItFromNow) {
  server.change([](MaildropKnobs& knobs) { knobs.login_delay = "3600"; });
  change("UPDATE account SET login_delay = 3600, last_login = 1930000000");
  server.clear_record();
  EXPECT_EQ(sync().status, 75);
  EXPECT_LE(ahead("last_login"), 1);
  change("UPDATE account SET last_login = last_login - 3601");
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(server.record().logins, 1U);
}

TEST_F(ClockAhead, APlanOfAnEarlierPopsyncIsTriedWithinADay) {
  refuse();
  change(std::string(kIn2031) + ", next_sync_delay = 0");
  EXPECT_EQ(sync().status, 77);
  EXPECT_LE(ahead("next_sync"), 24 * 3600);
}

}  // namespace
}  // namespace popsync::test
