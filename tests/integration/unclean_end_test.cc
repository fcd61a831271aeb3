// SPDX-License-Identifier: MIT
// What a server says ends one session, never the program; and what is remembered of servers is not used after a program that ended badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <filesystem>
#include <memory>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

constexpr const char* kNoPlain = "USER";

struct UncleanEnd : testing::Test {
  void SetUp() override {
    server.change([](MaildropKnobs& knobs) { knobs.capabilities = {{kNoPlain, "UIDL", "TOP", "PIPELINING"}}; });
    server.add(small_message("one"), "a");
    other.add(small_message("two"), "b");
    home.configure_all({account("home", server), account("other", other)});
  }
  [[nodiscard]] static AccountText account(const std::string& name, const MaildropServer& at) {
    // Two names of one host, or both accounts would read one maildrop.
    return {.name = name, .port = at.port(), .host = name == "home" ? "127.0.0.1" : "localhost", .more = {"interval = \"1h\""}};
  }
  void start() {
    ProgramCall call = home.call({"run"});
    call.environment["NOTIFY_SOCKET"] = manager.path();
    daemon = std::make_unique<ProgramRun>(call);
    ASSERT_TRUE(manager.wait_for("READY=1"));
  }
  static bool sessions_done(MaildropServer& at, std::size_t count) {
    return at.wait_for([&](const MaildropRecord& record) { return record.quits >= count && record.open_sessions == 0; });
  }
  void refuse_user_and_accept_pass() {
    server.change([](MaildropKnobs& knobs) {
      knobs.faults = {{.verb = "USER", .reply = "-ERR"}, {.verb = "PASS", .reply = "+OK"}};
      knobs.capabilities = {{"SASL PLAIN", "UIDL", "TOP", "PIPELINING"}};
    });
  }
  void sync_well() {
    const ProgramResult result = home.run({"sync"});
    EXPECT_EQ(result.status, 0) << result.err;
  }
  [[nodiscard]] std::size_t marks() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(home.state_dir())) {
      if (entry.path().filename().string().starts_with("sessions.")) ++count;
    }
    return count;
  }

  MaildropServer server;
  MaildropServer other;
  ProgramHome home;
  NotifySocket manager{home.folder() / "notify"};
  std::unique_ptr<ProgramRun> daemon;
};

TEST_F(UncleanEnd, UserRefusedAndPassAcceptedEndsOneSessionAndTheDaemonGoesOn) {
  sync_well();
  refuse_user_and_accept_pass();
  server.clear_record();
  other.clear_record();
  start();
  ASSERT_TRUE(sessions_done(other, 1));
  ASSERT_TRUE(daemon->wait_for_err("refused a part of the login and accepted it all the same")) << daemon->err();
  other.add(small_message("three"), "c");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  server.add(small_message("four"), "d");
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(sessions_done(other, 2));
  ASSERT_TRUE(sessions_done(server, 1));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_EQ(messages_in(home.maildir("other")), as_stored(other.messages()));
}

TEST_F(UncleanEnd, SyncOfTheOtherAccountsIsNotTouchedByIt) {
  sync_well();
  refuse_user_and_accept_pass();
  other.add(small_message("three"), "c");
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 76) << result.err;
  EXPECT_EQ(messages_in(home.maildir("other")), as_stored(other.messages()));
}

TEST_F(UncleanEnd, WhatWasRememberedOfServersIsUsedAfterAnEndOfAnyOtherKind) {
  sync_well();
  server.change([](MaildropKnobs& knobs) { knobs.greeting = "-ERR [SYS/TEMP] later"; });
  EXPECT_EQ(home.run({"sync"}).status, 75);
  EXPECT_EQ(marks(), 0U);
  other.clear_record();
  EXPECT_EQ(home.run({"sync"}).status, 75);
  EXPECT_EQ(other.record().count("CAPA"), 0U);
}

// SIGKILL stands for whatever ends a program: an abort, the kernel when memory is short, the power.
TEST_F(UncleanEnd, WhatWasRememberedOfServersIsForgottenAfterAKill) {
  sync_well();
  server.add(small_message("three"), "c");
  server.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = "c", .octets = 5}; });
  other.clear_record();
  auto killed = home.start({"sync"});
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  ASSERT_TRUE(sessions_done(other, 1));
  EXPECT_EQ(other.record().count("CAPA"), 0U);  // it went by what was remembered
  EXPECT_EQ(marks(), 1U);
  killed->signal(SIGKILL);
  killed->wait();
  server.change([](MaildropKnobs& knobs) { knobs.stall = {}; });
  server.release_stalled();
  other.clear_record();
  sync_well();
  EXPECT_EQ(other.record().count("CAPA"), 1U);
  EXPECT_EQ(other.record().sent_ahead, 1U);  // of the listing; nothing with the login
  EXPECT_EQ(marks(), 0U);
  other.clear_record();
  sync_well();
  EXPECT_EQ(other.record().count("CAPA"), 0U);
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(UncleanEnd, KilledSyncBesideADaemonIsNoticedAndTheDaemonIsNot) {
  start();
  ASSERT_TRUE(sessions_done(other, 1));
  ASSERT_TRUE(sessions_done(server, 1));
  other.clear_record();
  EXPECT_EQ(home.run({"sync", "other"}).status, 0);
  EXPECT_EQ(other.record().count("CAPA"), 0U);  // the daemon's mark is no word of a bad end
  EXPECT_EQ(marks(), 1U);
  other.add(small_message("three"), "c");
  other.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = "c", .octets = 5}; });
  auto killed = home.start({"sync", "other"});
  ASSERT_TRUE(other.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  EXPECT_EQ(marks(), 2U);
  killed->signal(SIGKILL);
  killed->wait();
  other.change([](MaildropKnobs& knobs) { knobs.stall = {}; });
  other.release_stalled();
  other.clear_record();
  EXPECT_EQ(home.run({"sync", "other"}).status, 0);
  EXPECT_EQ(other.record().count("CAPA"), 1U);
  EXPECT_EQ(marks(), 1U);
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
  EXPECT_EQ(marks(), 0U);
}

}  // namespace
}  // namespace popsync::test
