// SPDX-License-Identifier: MIT
// A server that wants time between logins (RFC 2449 section 6.5) is given it by every process, whatever asks for the sync.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include "state/transaction.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"
#include "sync/login_delay.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

struct LoginDelay : testing::Test {
  void SetUp() override {
    server.add(small_message("message"));
    server.change([](MaildropKnobs& knobs) { knobs.login_delay = "3600"; });
  }
  [[nodiscard]] std::size_t logins() const { return server.record().logins; }

  MaildropServer server;
};

struct LoginDelayOfTheProgram : LoginDelay {
  void SetUp() override {
    LoginDelay::SetUp();
    home.configure({.port = server.port()});
  }
  ProgramHome home;
};

TEST_F(LoginDelayOfTheProgram, HoldsForTheNextSyncAndForANamedOne) {
  EXPECT_EQ(home.run({"sync"}).status, 0);
  const ProgramResult second = home.run({"sync"});
  EXPECT_EQ(second.status, 75);
  EXPECT_THAT(second.err, HasSubstr("error: home: not tried: the server wants 1 h between logins (LOGIN-DELAY), the next may be at 20"));
  EXPECT_EQ(home.run({"sync", "home"}).status, 75);
  EXPECT_EQ(home.run({"sync", "--dry-run"}).status, 75);
  EXPECT_EQ(logins(), 1U);
}

TEST_F(LoginDelayOfTheProgram, ToWaitIsNoFailureAndNoAttempt) {
  home.run({"sync"});
  const std::string before = home.run({"status", "--json"}).out;
  const ProgramResult second = home.run({"sync", "--json"});
  EXPECT_EQ(json_at(second.out, "accounts[0].result"), "not_run");
  EXPECT_EQ(json_at(second.out, "accounts[0].error.code"), "login_delay");
  EXPECT_EQ(home.run({"status", "--json"}).out, before);
}

TEST_F(LoginDelayOfTheProgram, OfAnotherHostSaysNothing) {
  home.run({"sync"});
  home.configure({.port = server.port(), .host = "localhost"});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(logins(), 2U);
}

TEST_F(LoginDelayOfTheProgram, HoldsForADaemonThatStarts) {
  home.run({"sync"});
  NotifySocket manager(home.folder() / "notify");
  ProgramCall call = home.call({"run"});
  call.environment["NOTIFY_SOCKET"] = manager.path();
  ProgramRun daemon(call);
  ASSERT_TRUE(manager.wait_for("READY=1"));
  daemon.signal(SIGUSR1);
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait().status, 0);
  EXPECT_EQ(logins(), 1U);
  const std::string hour_from_now = json_at(home.run({"status", "--json"}).out, "accounts[0].next_sync");
  EXPECT_GT(hour_from_now, json_at(home.run({"status", "--json"}).out, "accounts[0].last_attempt"));
}

TEST_F(LoginDelayOfTheProgram, OfMoreThanADayIsToldAndIsNotKept) {
  server.change([](MaildropKnobs& knobs) { knobs.login_delay = "86400"; });
  EXPECT_THAT(home.run({"sync"}).err, testing::Not(HasSubstr("LOGIN-DELAY")));
  ProgramHome other;
  other.configure({.port = server.port()});
  server.change([](MaildropKnobs& knobs) { knobs.login_delay = "4294967295"; });
  const ProgramResult first = other.run({"sync"});
  EXPECT_EQ(first.status, 0);
  EXPECT_THAT(first.err, HasSubstr("the server wants 49710 d 6 h between logins (LOGIN-DELAY); it is given 1 d"));
  EXPECT_THAT(other.run({"sync"}).err, HasSubstr("not tried: the server wants 1 d between logins"));
}

// As an earlier popsync stored it.
TEST_F(LoginDelayOfTheProgram, OfYearsInTheStateIsOverAfterADay) {
  home.run({"sync"});
  const auto set_last_login = [&](std::chrono::seconds ago) {
    const auto store = state::StateStore::open(home.state_dir());
    state::AccountRow row = store->accounts().at(0);
    row.login_delay = 4294967295s;
    row.last_login = system_clock().wall() - ago;
    auto transaction = store->begin();
    transaction.update_account(row);
    transaction.commit();
  };
  set_last_login(23h);
  EXPECT_EQ(home.run({"sync", "home"}).status, 75);
  EXPECT_EQ(logins(), 1U);
  set_last_login(24h + 1min);
  EXPECT_EQ(home.run({"sync", "home"}).status, 0);
  EXPECT_EQ(logins(), 2U);
}

TEST_F(LoginDelay, OfMoreThanADayIsOverAfterADay) {
  server.change([](MaildropKnobs& knobs) { knobs.login_delay = "86401"; });
  SyncInProcess process(server);
  EXPECT_FALSE(process.sync().error);
  process.clock.advance(sync::kLoginDelayMax - 1s);
  EXPECT_TRUE(process.sync().error);
  process.clock.advance(2s);
  EXPECT_FALSE(process.sync().error);
}

TEST_F(LoginDelay, IsOverWhenItHasPassed) {
  SyncInProcess process(server);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
  process.clock.advance(3598s);
  EXPECT_EQ(process.sync().result, sync::SyncResult::not_run);
  process.clock.advance(3s);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
  EXPECT_EQ(logins(), 2U);
}

TEST_F(LoginDelay, AnnouncedAfterTheLoginAloneCountsToo) {
  server.change([](MaildropKnobs& knobs) {
    knobs.login_delay.reset();
    knobs.capabilities = {"USER", "UIDL", "TOP"};
    knobs.capabilities_after_login = {"USER", "UIDL", "TOP", "LOGIN-DELAY 600"};
  });
  SyncInProcess process(server);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
  process.clock.advance(300s);
  EXPECT_EQ(process.sync().result, sync::SyncResult::not_run);
  process.clock.advance(301s);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
}

TEST_F(LoginDelay, SmallerOnesOfAUserIsTheOneThatCounts) {
  server.change([](MaildropKnobs& knobs) {
    knobs.login_delay.reset();
    knobs.capabilities = {"USER", "UIDL", "TOP", "LOGIN-DELAY 3600 USER"};
    knobs.capabilities_after_login = {"USER", "UIDL", "TOP", "LOGIN-DELAY 60"};
  });
  SyncInProcess process(server);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
  process.clock.advance(61s);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
}

TEST_F(LoginDelay, CountsFromALoginWhoseSessionFailed) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "UIDL", .close = true}}; });
  SyncInProcess process(server);
  EXPECT_EQ(process.sync().result, sync::SyncResult::error);
  server.change([](MaildropKnobs& knobs) { knobs.faults.clear(); });
  EXPECT_EQ(process.sync().result, sync::SyncResult::not_run);
  EXPECT_EQ(logins(), 1U);
}

TEST_F(LoginDelay, CountsFromNowWhereTheClockWasAheadAtTheLastLogin) {
  SyncInProcess process(server);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
  process.clock.set_wall(process.clock.wall() - 24h * 365);
  EXPECT_EQ(process.sync().result, sync::SyncResult::not_run);
  process.clock.advance(3602s);
  EXPECT_EQ(process.sync().result, sync::SyncResult::ok);
}

}  // namespace
}  // namespace popsync::test
