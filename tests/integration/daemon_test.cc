// SPDX-License-Identifier: MIT
// popsync run: the daemon under a service manager of the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <functional>

#include "base/clock.h"
#include "base/format.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Daemon : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 3; ++i) server.add(small_message("message " + std::to_string(i)));
    home.configure(account());
  }
  [[nodiscard]] AccountText account() const { return {.port = server.port(), .more = {"interval = \"1h\""}}; }
  void start() {
    ProgramCall call = home.call({"run"});
    call.environment["NOTIFY_SOCKET"] = manager.path();
    daemon = std::make_unique<ProgramRun>(call);
    ASSERT_TRUE(manager.wait_for("READY=1"));
  }
  bool sessions_done(std::size_t count) {
    return server.wait_for([&](const MaildropRecord& record) { return record.quits >= count && record.open_sessions == 0; });
  }
  static bool comes_true(const std::function<bool()>& what) {
    const SteadyTime deadline = system_clock().steady() + std::chrono::seconds(60);
    while (!what()) {
      if (system_clock().steady() > deadline) return false;
    }
    return true;
  }
  void stop() {
    daemon->signal(SIGTERM);
    EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
  }
  [[nodiscard]] std::vector<std::string> stored() const { return messages_in(home.maildir()); }

  MaildropServer server;
  ProgramHome home;
  NotifySocket manager{home.folder() / "notify"};
  std::unique_ptr<ProgramRun> daemon;
};

TEST_F(Daemon, TellsTheServiceManagerThatItIsReadyAndThatItStops) {
  start();
  EXPECT_TRUE(manager.wait_for("STATUS=1 account"));
  EXPECT_TRUE(sessions_done(1));
  stop();
  EXPECT_TRUE(manager.wait_for("STOPPING=1"));
  EXPECT_EQ(stored(), as_stored(server.messages()));
  EXPECT_TRUE(staged_in(home.maildir()).empty());
}

TEST_F(Daemon, SigintStopsItToo) {
  start();
  daemon->signal(SIGINT);
  EXPECT_EQ(daemon->wait().status, 0);
}

TEST_F(Daemon, FetchesNewMailWithinAnInterval) {
  home.configure({.port = server.port(), .more = {"interval = \"10s\""}});
  start();
  ASSERT_TRUE(sessions_done(1));
  server.add(small_message("new"));
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.quits >= 2 && record.open_sessions == 0; }, std::chrono::seconds(60)));
  stop();
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(Daemon, Sigusr1SyncsNow) {
  start();
  ASSERT_TRUE(sessions_done(1));
  server.add(small_message("new"));
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(sessions_done(2));
  stop();
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(Daemon, SigtermInMidTransferEndsSoonAndLosesNothing) {
  server.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = 2, .octets = 30}; });
  start();
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait(std::chrono::seconds(30)).status, 0) << daemon->err();
  EXPECT_EQ(server.record().count("QUIT"), 0U);
  server.release_stalled();
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(Daemon, SighupWithABadFileKeepsRunningAndSaysSo) {
  start();
  ASSERT_TRUE(sessions_done(1));
  home.configure_with("[accounts.home]\nhsot = \"x\"\n");
  daemon->signal(SIGHUP);
  EXPECT_TRUE(daemon->wait_for_err("stays in force"));
  EXPECT_THAT(daemon->err(), HasSubstr("hsot"));
  EXPECT_TRUE(manager.wait_for("RELOADING=1"));
  server.add(small_message("new"));
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(sessions_done(2));
  stop();
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(Daemon, SighupTakesANewLogLevelAndFormat) {
  start();
  ASSERT_TRUE(daemon->wait_for_err("3 messages fetched"));
  home.configure_all({account()}, {"log_format = \"json\""});
  daemon->signal(SIGHUP);
  EXPECT_TRUE(daemon->wait_for_err("\"message\":\"configuration reloaded: 1 account\""));
  home.configure_all({account()}, {"log_level = \"warning\""});
  daemon->signal(SIGHUP);
  ASSERT_TRUE(manager.wait_for("RELOADING=1"));
  ASSERT_TRUE(manager.wait_for("READY=1"));
  ASSERT_TRUE(manager.wait_for("RELOADING=1"));
  ASSERT_TRUE(manager.wait_for("READY=1"));
  const std::string before = daemon->err();
  server.add(small_message("new"));
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.retrieved.size() == 4; }));
  stop();
  EXPECT_EQ(daemon->err(), before);
}

TEST_F(Daemon, SighupWithoutAnyAccountKeepsRunningAndSaysSo) {
  start();
  ASSERT_TRUE(sessions_done(1));
  AccountText disabled = account();
  disabled.more.emplace_back("enabled = false");
  for (int i = 0; i < 2; ++i) {
    i == 0 ? home.configure_with("") : home.configure(disabled);
    daemon->signal(SIGHUP);
    ASSERT_TRUE(manager.wait_for("RELOADING=1"));
    ASSERT_TRUE(manager.wait_for("STATUS=1 account"));
  }
  EXPECT_TRUE(daemon->wait_for_err("no account that is enabled; the running one stays in force"));
  EXPECT_THAT(daemon->err(), Not(HasSubstr("configuration reloaded")));
  server.add(small_message("new"));
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(sessions_done(2));
  stop();
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(Daemon, RemovedAccountFailsNoMoreForTheServiceManager) {
  home.configure_all({account(), {.name = "wrong", .port = server.port(), .user = "bob"}});
  start();
  ASSERT_TRUE(manager.wait_for("STATUS=2 accounts, 1 failing"));
  home.configure(account());
  daemon->signal(SIGHUP);
  EXPECT_TRUE(manager.wait_for("STATUS=1 account, all well"));
  stop();
}

TEST_F(Daemon, SighupTakesANewAccountAndLetsARemovedOneGo) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  start();
  ASSERT_TRUE(sessions_done(1));
  home.configure({.name = "bob", .port = server.port(), .user = "bob"});
  server.clear_record();
  daemon->signal(SIGHUP);
  ASSERT_TRUE(sessions_done(1));
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(sessions_done(2));
  stop();
  EXPECT_EQ(messages_in(home.maildir("bob")).size(), 1U);
  for (const ReceivedCredential& credential : server.record().credentials) EXPECT_EQ(credential.user, "bob");
}

TEST_F(Daemon, SecondOneOnTheSameStateIsRefused) {
  start();
  const ProgramResult second = home.run({"run"});
  EXPECT_EQ(second.status, 75);
  EXPECT_THAT(second.err, HasSubstr("held by popsync run, pid " + std::to_string(daemon->pid())));
  stop();
  EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "daemon.running"), "false");
}

TEST_F(Daemon, StatusKnowsItAndTheNextSync) {
  start();
  ASSERT_TRUE(sessions_done(1));
  // Nothing more happens for an hour, and the plan is written all the same.
  const auto next_sync = [&] { return json_at(home.run({"status", "--json"}).out, "accounts[0].next_sync"); };
  const std::string in_half_an_hour = rfc3339_utc(system_clock().wall() + std::chrono::minutes(30));
  EXPECT_TRUE(comes_true([&] { return next_sync() != "null" && next_sync() > in_half_an_hour; }));
  const ProgramResult status = home.run({"status", "--json"});
  EXPECT_EQ(json_at(status.out, "daemon.running"), "true");
  EXPECT_EQ(json_at(status.out, "daemon.pid"), std::to_string(daemon->pid()));
  EXPECT_THAT(json_at(status.out, "daemon.since"), testing::MatchesRegex("[0-9-]+T[0-9:]+Z"));
  stop();
}

TEST_F(Daemon, SyncByHandWorksBesideIt) {
  start();
  ASSERT_TRUE(sessions_done(1));
  server.add(small_message("new"));
  EXPECT_EQ(home.run({"sync"}).status, 0);
  stop();
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(Daemon, ARefusedAccountDoesNotStopTheOthersAndIsShown) {
  server.add_user("bob", "open-sesame");
  home.configure_all({{.name = "alice", .port = server.port(), .password = "wrong"}, {.name = "bob", .port = server.port(), .user = "bob"}});
  server.add_to("bob", small_message("for bob"));
  start();
  ASSERT_TRUE(sessions_done(1));
  EXPECT_TRUE(daemon->wait_for_err("login as alice refused"));
  EXPECT_THAT(daemon->err(), Not(HasSubstr("open-sesame")));
  stop();
  EXPECT_EQ(messages_in(home.maildir("bob")).size(), 1U);
  const ProgramResult status = home.run({"status", "--json"});
  EXPECT_EQ(json_at(status.out, "accounts[0].last_error.code"), "login_refused");
}

TEST_F(Daemon, SyncByHandBringsAFailedAccountBack) {
  server.change([](MaildropKnobs& knobs) { knobs.greeting = "-ERR closed"; });
  start();
  EXPECT_TRUE(daemon->wait_for_err("closed"));
  server.set_knobs({});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  stop();
  EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "accounts[0].state"), "ok");
}

TEST_F(Daemon, FinishesAtItsStartWhatAKilledOneLeft) {
  home.configure({.port = server.port(), .more = {"interval = \"1h\"", "leave_on_server = false"}});
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "QUIT"}}; });
  start();
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.count("QUIT") == 1; }));
  daemon->signal(SIGKILL);
  daemon->wait();
  const auto all = as_stored(server.messages());
  server.set_knobs({});
  start();
  ASSERT_TRUE(sessions_done(1));
  stop();
  EXPECT_EQ(stored(), all);
  EXPECT_EQ(server.count(), 0U);
}

}  // namespace
}  // namespace popsync::test
