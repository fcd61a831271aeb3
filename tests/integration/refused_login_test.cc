// SPDX-License-Identifier: MIT
// A refused login is not tried again and again: providers lock accounts for it. The daemon and one-pass syncs count together. protocol.md 40.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/stored_state.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct RefusedLogin : testing::Test {
  void SetUp() override {
    server.add(small_message("message"));
    home.configure({.port = server.port(), .password = "wrong"});
  }
  int sync() { return home.run({"sync"}).status; }
  void refuse_three_times() {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(home.run({"sync", "home"}).status, 77);  // named: at once
  }
  [[nodiscard]] std::size_t refusals() const { return server.record().credentials.size(); }
  [[nodiscard]] std::string state() const { return json_at(home.run({"status", "--json"}).out, "accounts[0].state"); }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(RefusedLogin, StopsAnUnnamedSyncAfterThree) {
  refuse_three_times();
  EXPECT_EQ(state(), "needs_operator");
  const ProgramResult fourth = home.run({"sync"});
  EXPECT_EQ(fourth.status, 77);
  EXPECT_THAT(fourth.err, AllOf(HasSubstr("error: home: not tried, it needs an operator: login as alice refused"), HasSubstr("`popsync sync home`")));
  EXPECT_EQ(refusals(), 3U);
  EXPECT_EQ(home.run({"sync", "--dry-run"}).status, 77);
  EXPECT_EQ(refusals(), 3U);
}

TEST_F(RefusedLogin, LeftOutIsNotRunForJson) {
  refuse_three_times();
  const std::string out = home.run({"sync", "--json"}).out;
  EXPECT_EQ(json_at(out, "accounts[0].result"), "not_run");
  EXPECT_EQ(json_at(out, "accounts[0].error.code"), "login_refused");
}

TEST_F(RefusedLogin, AccountThatOnlyWaitsIsRecoveredByTheDaemonWithoutALogin) {
  home.configure({.port = server.port()});
  ASSERT_EQ(home.run({"sync"}).status, 0);
  home.configure({.port = server.port(), .password = "wrong"});
  refuse_three_times();
  const std::size_t logins = refusals();
  for (const auto& folder : std::filesystem::directory_iterator(home.maildir() + "/tmp/.popsync")) {
    if (folder.is_directory()) std::ofstream(folder.path() / "left by a crash") << "half a mess";
  }
  ASSERT_FALSE(staged_in(home.maildir()).empty());
  const auto daemon = home.start({"run"});
  EXPECT_TRUE(daemon->wait_for_err("not tried, it needs an operator"));
  while (!staged_in(home.maildir()).empty()) ::sched_yield();
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0);
  EXPECT_EQ(refusals(), logins);
}

TEST_F(RefusedLogin, OthersGoOn) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  home.configure_all({{.name = "bob", .port = server.port(), .user = "bob"}, {.name = "home", .port = server.port(), .password = "wrong"}});
  refuse_three_times();
  server.add_to("bob", small_message("for bob again"));
  EXPECT_EQ(sync(), 77);
  EXPECT_EQ(messages_in(home.maildir("bob")).size(), 2U);
}

TEST_F(RefusedLogin, NamedSyncTriesOnceMore) {
  refuse_three_times();
  EXPECT_EQ(home.run({"sync", "home"}).status, 77);
  EXPECT_EQ(refusals(), 4U);
  EXPECT_EQ(sync(), 77);
  EXPECT_EQ(refusals(), 4U);
}

TEST_F(RefusedLogin, ChangedPasswordInTheConfigurationIsTried) {
  refuse_three_times();
  home.configure({.port = server.port(), .password = "wrong too"});
  refuse_three_times();
  EXPECT_EQ(sync(), 77);
  EXPECT_EQ(refusals(), 6U);
  home.configure({.port = server.port()});
  EXPECT_EQ(sync(), 0);
  EXPECT_EQ(state(), "ok");
}

TEST_F(RefusedLogin, ChangedPasswordFileIsTried) {
  const std::string file = home.folder() / "password";
  const auto write = [&](const std::string& password) {
    std::ofstream(file) << password << '\n';
    ::chmod(file.c_str(), 0600);
  };
  write("wrong");
  home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                      "\ntls = \"none\"\nallow_insecure_auth = true\nuser = \"alice\"\npassword_file = \"" + file + "\"\nmaildir = \"" +
                      home.maildir() + "\"\n");
  refuse_three_times();
  EXPECT_EQ(sync(), 77);
  EXPECT_EQ(refusals(), 3U);
  write("open-sesame");
  EXPECT_EQ(sync(), 0);
}

TEST_F(RefusedLogin, OfASecretThatHasWorkedWaitsAnHour) {
  home.configure({.port = server.port()});
  EXPECT_EQ(sync(), 0);
  server.change([](MaildropKnobs& knobs) {
    knobs.faults = {{.verb = "AUTH", .reply = "-ERR [AUTH] not now"}, {.verb = "PASS", .reply = "-ERR no"}};
  });
  EXPECT_EQ(sync(), 77);
  EXPECT_EQ(state(), "needs_operator");
  EXPECT_NE(json_at(home.run({"status", "--json"}).out, "accounts[0].next_sync"), "null");
  server.set_knobs({});
  server.clear_record();
  const ProgramResult next = home.run({"sync"});
  EXPECT_EQ(next.status, 77);
  EXPECT_THAT(next.err, HasSubstr("tried again from 20"));
  EXPECT_EQ(server.record().sessions, 0U);
  EXPECT_EQ(home.run({"sync", "home"}).status, 0);
  EXPECT_EQ(sync(), 0);
}

// Restarts, and a `popsync sync` by cron, are no word of an operator.
TEST_F(RefusedLogin, IsNotTriedBeforeItsTimeByTenRestartsAndCron) {
  EXPECT_EQ(sync(), 77);
  // The first wait is half a minute; this test must not be quicker than that.
  change_state(home.state_dir(), "UPDATE account SET next_sync = next_sync + 3600, next_sync_delay = 3640");
  EXPECT_NE(state(), "needs_operator");
  for (int i = 0; i < 10; ++i) {
    const ProgramResult cron = home.run({"sync"});
    EXPECT_EQ(cron.status, 77);
    EXPECT_THAT(cron.err, AllOf(HasSubstr("not tried again yet: login as alice refused"), HasSubstr("tried again from 20")));
    const auto daemon = home.start({"run"});
    EXPECT_TRUE(daemon->wait_for_err("not tried again yet"));
    daemon->signal(i % 2 == 0 ? SIGTERM : SIGKILL);
    daemon->wait();
  }
  EXPECT_EQ(refusals(), 1U);
  change_state(home.state_dir(), "UPDATE account SET next_sync = unixepoch() - 1");
  EXPECT_EQ(sync(), 77);
  EXPECT_EQ(refusals(), 2U);
}

TEST_F(RefusedLogin, InADaemonThatIsKilledAtOnceIsNotTriedByTheNext) {
  const auto first = home.start({"run"});
  EXPECT_TRUE(first->wait_for_err("login as alice refused"));
  const auto planned = [&] { return json_at(home.run({"status", "--json"}).out, "accounts[0].next_sync") != "null"; };
  for (int i = 0; i < 1000 && !planned(); ++i) continue;  // it is written behind the words
  ASSERT_TRUE(planned());
  first->signal(SIGKILL);
  first->wait();
  change_state(home.state_dir(), "UPDATE account SET next_sync = next_sync + 3600, next_sync_delay = 3640");
  const auto second = home.start({"run"});
  EXPECT_TRUE(second->wait_for_err("not tried again yet"));
  second->signal(SIGTERM);
  second->wait();
  EXPECT_EQ(refusals(), 1U);
}

TEST_F(RefusedLogin, OfSyncsByHandKeepsADaemonFromTryingToo) {
  refuse_three_times();
  const auto daemon = home.start({"run"});
  EXPECT_TRUE(daemon->wait_for_err("not tried, it needs an operator"));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0);
  EXPECT_EQ(refusals(), 3U);
  EXPECT_EQ(state(), "needs_operator");
}

TEST_F(RefusedLogin, ReloadedDaemonTriesAtOnce) {
  refuse_three_times();
  const auto daemon = home.start({"run"});
  EXPECT_TRUE(daemon->wait_for_err("not tried, it needs an operator"));
  home.configure({.port = server.port()});
  server.add(small_message("later"));
  daemon->signal(SIGHUP);
  EXPECT_TRUE(daemon->wait_for_err("fetched"));  // said when the session is over and recorded
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0);
  EXPECT_EQ(state(), "ok");
}

TEST_F(RefusedLogin, ADiskThatIsBackNeedsNoWordOfTheOperator) {
  home.configure({.port = server.port()});
  EXPECT_EQ(sync(), 0);
  const std::filesystem::path maildir = home.maildir();
  std::filesystem::rename(maildir, maildir.string() + ".away");
  EXPECT_EQ(sync(), 73);
  EXPECT_EQ(state(), "needs_operator");
  std::filesystem::rename(maildir.string() + ".away", maildir);
  EXPECT_EQ(sync(), 0);
  EXPECT_EQ(state(), "ok");
}

}  // namespace
}  // namespace popsync::test
