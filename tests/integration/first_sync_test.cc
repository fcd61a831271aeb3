// SPDX-License-Identifier: MIT
// popsync sync as a user meets it: the first sync, the one after it, and what each of them says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct FirstSync : testing::Test {
  void SetUp() override { home.configure({.port = server.port()}); }
  void add(std::size_t count) {
    for (std::string& message : realistic_messages(count)) server.add(std::move(message));
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(FirstSync, StoresEveryMessageByteForByte) {
  add(50);
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_EQ(server.count(), 50U);
  EXPECT_TRUE(staged_in(home.maildir()).empty());
}

TEST_F(FirstSync, SecondSyncFetchesNothing) {
  add(20);
  home.run({"sync"});
  server.clear_record();
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "0");
  EXPECT_EQ(json_at(result.out, "accounts[0].skipped"), "20");
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_EQ(messages_in(home.maildir()).size(), 20U);
}

TEST_F(FirstSync, ThirdSyncFetchesOnlyWhatArrivedMeanwhile) {
  add(3);
  home.run({"sync"});
  home.run({"sync"});
  server.add(small_message("late"));
  server.clear_record();
  EXPECT_EQ(json_at(home.run({"sync", "--json"}).out, "accounts[0].fetched"), "1");
  EXPECT_EQ(server.record().count("RETR"), 1U);
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(FirstSync, JsonHasEveryPromisedField) {
  const std::string message = small_message("one");
  server.add(message);
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(json_at(result.out, "version"), "0.1.0");
  EXPECT_EQ(json_at(result.out, "accounts[0].name"), "home");
  EXPECT_EQ(json_at(result.out, "accounts[0].result"), "ok");
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "1");
  EXPECT_EQ(json_at(result.out, "accounts[0].octets"), std::to_string(octets_stored(message).size()));
  for (const char* zero : {"deleted", "held", "skipped", "recovered"})
    EXPECT_EQ(json_at(result.out, std::string("accounts[0].") + zero), "0") << zero;
  EXPECT_NE(json_at(result.out, "accounts[0].duration_s"), "(absent)");
  EXPECT_EQ(json_at(result.out, "accounts[0].error"), "null");
}

TEST_F(FirstSync, JsonOfAFailureTellsCodeMessageAndHint) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "AUTH", .reply = "-ERR [AUTH] no"}}; });
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(result.status, 77);
  EXPECT_EQ(json_at(result.out, "accounts[0].result"), "error");
  EXPECT_EQ(json_at(result.out, "accounts[0].error.code"), "login_refused");
  EXPECT_THAT(json_at(result.out, "accounts[0].error.message"), HasSubstr("[AUTH] no"));
  EXPECT_THAT(json_at(result.out, "accounts[0].error.hint"), HasSubstr("password"));
}

TEST_F(FirstSync, SaysOneLineWhenSomethingHappenedAndNothingOtherwise) {
  server.add(small_message("one"));
  const ProgramResult first = home.run({"sync"});
  EXPECT_THAT(first.out, AllOf(HasSubstr("home: 1 message fetched"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(std::count(first.out.begin(), first.out.end(), '\n'), 1);
  const ProgramResult second = home.run({"sync"});
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(second.out, "");
  EXPECT_EQ(second.err, "");
}

TEST_F(FirstSync, QuietSaysNothingOnStandardOutput) {
  server.add(small_message("one"));
  const ProgramResult result = home.run({"sync", "-q"});
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(messages_in(home.maildir()).size(), 1U);
}

TEST_F(FirstSync, ErrorsGoToStandardError) {
  server.change([](MaildropKnobs& knobs) { knobs.greeting = "-ERR closed for today"; });
  home.run({"sync"});
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 69);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(HasSubstr("home: "), HasSubstr("closed for today")));
}

TEST_F(FirstSync, OnATerminalAnIdleSyncSaysThatNothingIsNew) {
  home.run({"sync"});
  ProgramCall call = home.call({"sync"});
  call.on_terminal = true;
  EXPECT_THAT(run_program(call).out, HasSubstr("home: nothing new"));
}

TEST_F(FirstSync, NoColorIsRespectedOnATerminal) {
  server.add(small_message("one"));
  ProgramCall call = home.call({"sync"});
  call.on_terminal = true;
  call.environment["NO_COLOR"] = "1";
  EXPECT_THAT(run_program(call).out, AllOf(HasSubstr("1 message fetched"), Not(HasSubstr("\x1b[3")), Not(HasSubstr("\x1b[1m"))));
}

TEST_F(FirstSync, DryRunTellsThePlanAndChangesNothing) {
  add(2);
  server.clear_record();
  const ProgramResult result = home.run({"sync", "--dry-run", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(json_at(result.out, "accounts[0].would_fetch"), "2");
  EXPECT_EQ(server.record().count("RETR") + server.record().count("DELE"), 0U);
  EXPECT_TRUE(messages_in(home.maildir()).empty());
  EXPECT_FALSE(std::filesystem::exists(home.maildir()));
  EXPECT_FALSE(std::filesystem::exists(home.state_dir()));
  EXPECT_EQ(json_at(home.run({"sync", "--json"}).out, "accounts[0].fetched"), "2");
}

TEST_F(FirstSync, DryRunTellsHowManyOldMessagesAChangedPolicyWouldDelete) {
  add(5);
  home.run({"sync"});
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  const ProgramResult result = home.run({"sync", "--dry-run", "--json"});
  EXPECT_EQ(json_at(result.out, "accounts[0].would_delete"), "5");
  EXPECT_EQ(server.count(), 5U);
}

TEST_F(FirstSync, OneAccountsFailureLeavesTheOthersAlone) {
  server.add(small_message("one"));
  home.configure_all({{.name = "bad", .port = 1, .user = "bob"}, {.name = "good", .port = server.port()}});
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(result.status, 75);
  EXPECT_EQ(json_at(result.out, "accounts[0].name"), "bad");
  EXPECT_EQ(json_at(result.out, "accounts[0].error.code"), "network");
  EXPECT_EQ(json_at(result.out, "accounts[1].result"), "ok");
  EXPECT_EQ(messages_in(home.maildir("good")).size(), 1U);
}

TEST_F(FirstSync, OnlyNamedAccountsAreSyncedAndDisabledOnesOnlyWhenNamed) {
  server.add_user("bob", "open-sesame");
  server.add(small_message("for alice"));
  server.add_to("bob", small_message("for bob"));
  home.configure_all({{.name = "alice", .port = server.port()}, {.name = "bob", .port = server.port(), .user = "bob", .more = {"enabled = false"}}});
  home.run({"sync"});
  EXPECT_EQ(messages_in(home.maildir("alice")).size(), 1U);
  EXPECT_TRUE(messages_in(home.maildir("bob")).empty());
  home.run({"sync", "bob"});
  EXPECT_EQ(messages_in(home.maildir("bob")).size(), 1U);
}

}  // namespace
}  // namespace popsync::test
