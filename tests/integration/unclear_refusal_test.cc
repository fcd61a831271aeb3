// SPDX-License-Identifier: MIT
// Logins that are refused in words alone: what passes stops no account, what the provider may count is not tried without end. protocol.md 38-40, 116.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <chrono>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/stored_state.h"

namespace popsync::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kRoundsMax = 300;  // a day, every five minutes

struct UnclearRefusal : testing::Test {
  void SetUp() override {
    server.add(small_message("message"));
    home.configure({.port = server.port()});
  }
  void refuse(const std::string& words) {
    server.change([&](MaildropKnobs& knobs) { knobs.faults = {{.verb = "AUTH", .reply = "-ERR " + words}}; });
    server.clear_record();
  }
  ProgramResult sync() { return home.run({"sync"}); }
  [[nodiscard]] std::size_t logins() const { return server.record().count("AUTH") + server.record().count("PASS"); }
  [[nodiscard]] std::string told(const std::string& path) const { return json_at(home.run({"status", "--json"}).out, "accounts[0]." + path); }
  [[nodiscard]] std::string in_state(const std::string& column) const { return ask_state(home.state_dir(), "SELECT " + column + " FROM account"); }

  // The state's clock is turned on to the next planned try, whenever that is; cron comes every five minutes to an account that has no plan.
  std::size_t logins_in_a_day() {
    seconds passed{0};
    for (int rounds = 0; passed < 24h && rounds < kRoundsMax; ++rounds) {
      EXPECT_NE(sync().status, 0);
      const bool planned = !in_state("next_sync").empty();
      if (!planned && in_state("needs_operator") == "1") break;
      passed += planned ? seconds(std::stoi(in_state("next_sync_delay"))) : seconds(5min);
      change_state(home.state_dir(), "UPDATE account SET next_sync = unixepoch() - 1 WHERE next_sync IS NOT NULL");
    }
    return logins();
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(UnclearRefusal, WhatPassesIsNoWrongPasswordHoweverOften) {
  for (const char* words : {"Temporary authentication failure (rate-limit)", "Exceeded the login limit for a 15 minute period",
                            "internal server error", "Too many connections from your address", "mailbox is being rebuilt"}) {
    refuse(words);
    for (int i = 0; i < 4; ++i) {
      const ProgramResult result = sync();
      EXPECT_EQ(result.status, 75) << words;
      EXPECT_THAT(result.err, AllOf(HasSubstr("login not possible now"), HasSubstr(words), HasSubstr("the next sync tries again")));
    }
    EXPECT_EQ(logins(), 4U) << words;
    EXPECT_EQ(told("state"), "backing_off");
    EXPECT_EQ(told("last_error.code"), "server_temporary");
  }
  server.set_knobs({});
  EXPECT_EQ(sync().status, 0);
}

TEST_F(UnclearRefusal, LockedAccountIsTriedThreeTimesAndTheHintSaysWhatUnlocksIt) {
  refuse("Your account is locked: too many failed logins");
  const ProgramResult first = sync();
  EXPECT_EQ(first.status, 77);
  EXPECT_THAT(first.err,
              AllOf(HasSubstr("login as alice refused"), HasSubstr("unlock the account on its web page"), HasSubstr("`popsync sync ACCOUNT`")));
  EXPECT_EQ(told("last_error.code"), "login_refused");
  change_state(home.state_dir(), "UPDATE account SET next_sync = unixepoch() - 1");
  EXPECT_EQ(logins_in_a_day(), 3U);
  EXPECT_EQ(told("state"), "needs_operator");
}

TEST_F(UnclearRefusal, LockedAccountWhoseSecretHasWorkedIsTriedFiveTimesADay) {
  EXPECT_EQ(sync().status, 0);
  refuse("Your account is locked: too many failed logins");
  const std::size_t tries = logins_in_a_day();  // at once, after one hour, then every six, each give or take a twentieth
  EXPECT_GE(tries, 5U);
  EXPECT_LE(tries, 6U);
}

// Six within a quarter of an hour, one after an hour, then every six.
TEST_F(UnclearRefusal, IsTriedSixTimesAndThenSeldomWhateverTheSecret) {
  for (const bool worked : {false, true}) {
    server.set_knobs({});
    if (worked) {
      EXPECT_EQ(home.run({"sync", "home"}).status, 0);
    }
    refuse("Login failed, please try again later");
    const std::size_t tries = logins_in_a_day();
    EXPECT_GE(tries, 9U) << worked;
    EXPECT_LE(tries, 11U) << worked;
    EXPECT_EQ(told("state"), "needs_operator");
    EXPECT_NE(told("next_sync"), "null");
  }
}

TEST_F(UnclearRefusal, SixthOfAWorkedSecretNeedsAnOperatorAndWaitsAnHour) {
  EXPECT_EQ(sync().status, 0);
  refuse("Login failed, please try again later");
  for (int i = 1; i <= 6; ++i) {
    EXPECT_EQ(told("state"), i == 1 ? "ok" : "backing_off") << i;
    const ProgramResult result = home.run({"sync", "home"});  // named: at once
    EXPECT_EQ(result.status, 77);
    EXPECT_THAT(result.err, AllOf(HasSubstr("login as alice refused"), HasSubstr("gives no reason")));
  }
  EXPECT_EQ(told("state"), "needs_operator");
  EXPECT_EQ(told("last_error.code"), "login_unclear");
  EXPECT_NEAR(std::stoi(in_state("next_sync_delay")), 3600, 181);
  EXPECT_EQ(logins(), 6U);
  const ProgramResult seventh = sync();
  EXPECT_EQ(seventh.status, 77);
  EXPECT_THAT(seventh.err, AllOf(HasSubstr("not tried, it needs an operator"), HasSubstr("tried again from 20")));
  EXPECT_EQ(logins(), 6U);
}

TEST_F(UnclearRefusal, IsNotTriedBeforeItsTimeByCronOrByADaemon) {
  refuse("no");
  EXPECT_EQ(sync().status, 77);
  // The first wait is half a minute; this test must not be quicker than that.
  change_state(home.state_dir(), "UPDATE account SET next_sync = next_sync + 3600, next_sync_delay = 3640");
  EXPECT_THAT(sync().err, HasSubstr("not tried again yet: login as alice refused"));
  const auto daemon = home.start({"run"});
  EXPECT_TRUE(daemon->wait_for_err("not tried again yet"));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0);
  EXPECT_EQ(logins(), 1U);
}

TEST_F(UnclearRefusal, EndsWithALoginThatIsAccepted) {
  refuse("no");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(home.run({"sync", "home"}).status, 77);
  server.set_knobs({});
  EXPECT_EQ(home.run({"sync", "home"}).status, 0);
  EXPECT_EQ(told("state"), "ok");
  refuse("no");
  EXPECT_EQ(sync().status, 77);
  EXPECT_EQ(told("state"), "backing_off");
}

TEST_F(UnclearRefusal, OfPop3ThatIsSwitchedOffSaysWhereItIsSwitchedOn) {
  refuse("POP3 access disabled for this account.");
  EXPECT_THAT(sync().err, HasSubstr("switch POP3 on in the provider's settings"));
}

}  // namespace
}  // namespace popsync::test
