// SPDX-License-Identifier: MIT
// The program is killed at moments a server chooses: afterwards every message is here once, and nothing is left in staging.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <ostream>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

constexpr std::size_t kMessages = 30;

// Where the server holds the program until it is killed.
struct Moment {
  std::string name;
  MaildropKnobs knobs;
  std::string waits_at;  // the command that has come; empty: a stalled RETR
};
void PrintTo(const Moment& tested, std::ostream* out) { *out << tested.name; }

std::vector<Moment> moments() {
  return {{"AtTheFirstOctet", {.stall = Stall{.message = 1, .octets = 0}}, ""},
          {"InTheMiddleOfAMessage", {.stall = Stall{.message = 15, .octets = 100}}, ""},
          {"BeforeTheTerminationOctet", {.stall = Stall{.message = 30, .octets = 240}}, ""},
          {"BeforeTheLastMarker", {.faults = {{.verb = "UIDL", .message = 30}}}, "UIDL 30"},
          {"AtTheFirstDele", {.faults = {{.verb = "DELE", .message = 1}}}, "DELE 1"},
          {"AtTheLastDele", {.faults = {{.verb = "DELE", .message = 30}}}, "DELE 30"},
          {"AtQuitBeforeCommit", {.faults = {{.verb = "QUIT"}}}, "QUIT"},
          {"AtQuitAfterCommit", {.quit = QuitBehaviour::no_answer}, "QUIT"}};
}

struct KilledProgramAgain : testing::Test {
  static void fill(MaildropServer& server, const std::string& user) {
    for (std::size_t i = 0; i < kMessages; ++i) {
      server.add_to(user, small_message(user + " " + std::to_string(100 + i), std::string(100, 'x') + "\r\n.\r\n" + std::string(100, 'y') + "\r\n"));
    }
  }
  void kill(ProgramRun& run) {
    run.signal(SIGKILL);
    EXPECT_EQ(run.wait().status, 128 + SIGKILL);
    server.set_knobs({});
    server.release_stalled();
    ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
    server.clear_record();
  }

  MaildropServer server;
  ProgramHome home;
};

struct KilledProgram : KilledProgramAgain, testing::WithParamInterface<Moment> {
  void wait_for_the_moment() {
    ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) {
      const std::string& line = GetParam().waits_at;
      if (line.empty()) return record.stalled >= 1;
      return std::ranges::any_of(record.commands, [&](const ReceivedCommand& command) { return command.line == line; });
    }));
  }
};

TEST_P(KilledProgram, HasEveryMessageOnceAfterTheNextSync) {
  fill(server, "alice");
  const auto all = as_stored(server.messages());
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  server.set_knobs(GetParam().knobs);
  const auto run = home.start({"sync"});
  wait_for_the_moment();
  kill(*run);
  const ProgramResult next = home.run({"sync", "--json"});
  EXPECT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(messages_in(home.maildir()), all);
  EXPECT_TRUE(staged_in(home.maildir()).empty());
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(home.run({"verify"}).status, 0);
}

TEST_P(KilledProgram, LosesNothingWhenTheDaemonStartsNext) {
  fill(server, "alice");
  const auto all = as_stored(server.messages());
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  server.set_knobs(GetParam().knobs);
  const auto run = home.start({"sync"});
  wait_for_the_moment();
  kill(*run);
  const auto daemon = home.start({"run"});
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.quits >= 1 && record.open_sessions == 0; }));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()), all);
  EXPECT_TRUE(staged_in(home.maildir()).empty());
}

TEST_P(KilledProgram, WithTwoAccountsInOneMaildirHasEveryMessageOnce) {
  server.add_user("bob", "open-sesame");
  fill(server, "alice");
  fill(server, "bob");
  auto all = server.messages();
  for (std::string& message : server.messages("bob")) all.push_back(std::move(message));
  all = as_stored(all);
  home.configure_all({{.name = "alice", .port = server.port(), .maildir = home.maildir(), .more = {"leave_on_server = false"}},
                      {.name = "bob", .port = server.port(), .user = "bob", .maildir = home.maildir(), .more = {"leave_on_server = false"}}});
  server.set_knobs(GetParam().knobs);
  const auto run = home.start({"sync"});
  wait_for_the_moment();
  kill(*run);
  const ProgramResult next = home.run({"sync", "--json"});
  EXPECT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(messages_in(home.maildir()), all);
  EXPECT_TRUE(staged_in(home.maildir()).empty());
}

INSTANTIATE_TEST_SUITE_P(Moments, KilledProgram, testing::ValuesIn(moments()), [](const auto& tested) { return tested.param.name; });

TEST_F(KilledProgramAgain, AndAgainHasEveryMessageOnce) {
  fill(server, "alice");
  const auto all = as_stored(server.messages());
  home.configure({.port = server.port()});
  for (int number : {3, 9, 18, 27}) {
    server.change([&](MaildropKnobs& knobs) { knobs.stall = Stall{.message = "uid" + std::to_string(number), .octets = 50}; });
    const auto run = home.start({"sync"});
    ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled >= 1; }));
    kill(*run);
  }
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()), all);
}

}  // namespace
}  // namespace popsync::test
