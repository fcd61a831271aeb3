// SPDX-License-Identifier: MIT
// Servers that repeat what they were sent to log in: it reaches no trace, no log, no error, no state and no status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>

#include "base/digest.h"
#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kPassword = "open-sesame";
constexpr const char* kPlainResponse = "AGFsaWNlAG9wZW4tc2VzYW1l";  // base64 of NUL alice NUL open-sesame
constexpr const char* kGreeting = "+OK ready <1896.697170952@dbc.mtview.ca.us>";

std::string digest() { return md5_hex(std::string("<1896.697170952@dbc.mtview.ca.us>") + kPassword); }

struct Repetition {
  std::string name;
  std::string method;
  Fault fault;
  std::string shown;  // in the trace
};
void PrintTo(const Repetition& tested, std::ostream* out) { *out << tested.name; }

struct RepeatedSecret : testing::Test {
  void SetUp() override {
    for (const char* name : {"one", "two", "three"}) server.add(small_message(name), std::string("uid-") + name);
  }
  void configure(const std::string& method) const { home.configure({.port = server.port(), .more = {"auth = \"" + method + "\""}}); }

  // All that a sync says and leaves.
  std::string all_of_a_sync() {
    const ProgramResult sync = home.run({"sync", "--trace", "-v"});
    std::string all = sync.out + sync.err;
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"status"}, {"status", "--json"}, {"list", "home"}}) {
      const ProgramResult told = home.run(arguments);
      all += told.out + told.err;
    }
    for (const auto& file : std::filesystem::recursive_directory_iterator(home.state_dir())) {
      if (file.is_regular_file()) all += content_of(file.path());
    }
    return all;
  }
  static void expect_no_secret(const std::string& text) {
    for (const std::string& secret : {std::string(kPassword), std::string("OPEN-SESAME"), std::string(kPlainResponse), digest()}) {
      const auto at = text.find(secret);
      if (at != std::string::npos) ADD_FAILURE() << secret << " in " << text.substr(at < 60 ? 0 : at - 60, 100);
    }
  }

  MaildropServer server;
  ProgramHome home;
};

struct RepeatedBy : RepeatedSecret, testing::WithParamInterface<Repetition> {};

TEST_P(RepeatedBy, IsShownNowhere) {
  const Repetition& repetition = GetParam();
  server.change([&](MaildropKnobs& knobs) {
    knobs.greeting = kGreeting;
    knobs.faults = {repetition.fault};
  });
  configure(repetition.method);
  const std::string all = all_of_a_sync();
  EXPECT_THAT(all, HasSubstr(repetition.shown));
  expect_no_secret(all);
}

INSTANTIATE_TEST_SUITE_P(
    ServersThat, RepeatedBy,
    testing::Values(
        Repetition{"RefusePass", "user", {.verb = "PASS", .reply = "-ERR [AUTH] no alice with open-sesame"}, "S: -ERR [AUTH] no alice with ***"},
        Repetition{"RefuseUser", "user", {.verb = "USER", .reply = "-ERR open-sesame too"}, "S: -ERR *** too"},
        Repetition{"RefusePlain", "plain", {.verb = "AUTH", .reply = "-ERR what is AGFsaWNlAG9wZW4tc2VzYW1l?"}, "S: -ERR what is ***?"},
        Repetition{"ReadPlain", "plain", {.verb = "AUTH", .reply = "-ERR [AUTH] alice/open-sesame"}, "S: -ERR [AUTH] alice/***"},
        Repetition{"RefuseApop", "apop", {.verb = "APOP", .reply = "-ERR [AUTH] not " + digest()}, "S: -ERR [AUTH] not ***"},
        Repetition{"SayNoPop3", "user", {.verb = "UIDL", .reply = "what, open-sesame?"}, "is no POP3 reply: what, ***?"},
        Repetition{"RefuseUidl", "user", {.verb = "UIDL", .reply = "-ERR [SYS/TEMP] open-sesame"}, "the server said: -ERR [SYS/TEMP] ***"},
        Repetition{"SayItUnasked", "user", {.verb = "LIST", .reply = "-ERR bye open-sesame", .after_reply = true}, "bye ***"},
        Repetition{"RefuseAMessage", "user", {.verb = "RETR", .message = 2, .reply = "-ERR open-sesame has no 2"}, "-ERR *** has no 2"},
        Repetition{"RefuseQuit", "user", {.verb = "QUIT", .reply = "-ERR good bye open-sesame"}, "S: -ERR good bye ***"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(RepeatedSecret, AmongCapabilitiesIsNeitherShownNorKept) {
  server.change([](MaildropKnobs& knobs) {
    knobs.capabilities = {{"UIDL", "TOP"}};
    knobs.capabilities_after_login = {{"UIDL", "TOP", "SASL open-sesame", "IMPLEMENTATION open-sesame 1.0"}};
  });
  configure("user");
  const std::string all = all_of_a_sync();
  EXPECT_THAT(all, HasSubstr("S: IMPLEMENTATION *** 1.0"));
  expect_no_secret(all);
  const ProgramResult check = home.run({"check", "--connect", "--trace"});
  EXPECT_THAT(check.out, HasSubstr("*** 1.0"));
  expect_no_secret(check.out + check.err);
}

TEST_F(RepeatedSecret, OfAShortPasswordNothingOfTheReplyIsShown) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "PASS", .reply = "-ERR [AUTH] not x~z"}}; });
  home.configure({.port = server.port(), .password = "x~z", .more = {"auth = \"user\""}});
  const ProgramResult result = home.run({"sync", "--trace", "-v"});
  EXPECT_THAT(result.err, HasSubstr("S: -ERR ***\n"));
  EXPECT_THAT(result.err, HasSubstr("login as alice refused: the server said: -ERR ***"));
  EXPECT_THAT(result.err, Not(HasSubstr("x~z")));
}

// What is masked is not what is read: a password that looks like all the server says changes nothing.
TEST_F(RepeatedSecret, APasswordThatStandsInEveryReplyHindersNothing) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "PASS", .reply = "-ERR [IN-USE] uid- is locked"}}; });
  home.configure({.port = server.port(), .password = "uid-", .more = {"auth = \"user\""}});
  EXPECT_EQ(json_at(home.run({"sync", "--json"}).out, "accounts[0].error.code"), "in_use");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  server.add_user("alice", "uid-");
  const ProgramResult result = home.run({"sync", "--trace", "-v"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("S: 2 ***two"));
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_THAT(home.run({"list", "home"}).out, HasSubstr("uid-two"));
}

}  // namespace
}  // namespace popsync::test
