// SPDX-License-Identifier: MIT
#include "pop3/command.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace popsync::pop3 {
namespace {

using namespace std::string_literals;

struct Row {
  Command command;
  std::string wire;
  std::string trace;
};

Command make(Verb verb, std::string argument = {}, std::uint32_t number = 0) {
  return {.verb = verb, .argument = std::move(argument), .number = MessageNumber{number}};
}

std::vector<Row> table() {
  return {
      {make(Verb::capa), "CAPA\r\n", "CAPA"},
      {make(Verb::stls), "STLS\r\n", "STLS"},
      {make(Verb::user, "joe"), "USER joe\r\n", "USER joe"},
      {make(Verb::stat), "STAT\r\n", "STAT"},
      {make(Verb::list), "LIST\r\n", "LIST"},
      {make(Verb::list_one, "", 3), "LIST 3\r\n", "LIST 3"},
      {make(Verb::uidl), "UIDL\r\n", "UIDL"},
      {make(Verb::uidl_one, "", 3), "UIDL 3\r\n", "UIDL 3"},
      {make(Verb::retr, "", 4294967295U), "RETR 4294967295\r\n", "RETR 4294967295"},
      {make(Verb::top, "10", 3), "TOP 3 10\r\n", "TOP 3 10"},
      {make(Verb::dele, "", 3), "DELE 3\r\n", "DELE 3"},
      {make(Verb::rset), "RSET\r\n", "RSET"},
      {make(Verb::noop), "NOOP\r\n", "NOOP"},
      {make(Verb::quit), "QUIT\r\n", "QUIT"},
      // secrets
      {make(Verb::pass, "my secret word"), "PASS my secret word\r\n", "PASS ***"},
      {make(Verb::apop, "joe c4c9334bac560ecc979e58001b3e22fb"), "APOP joe c4c9334bac560ecc979e58001b3e22fb\r\n", "APOP joe ***"},
      {make(Verb::auth, "PLAIN AGpvZQBzZWNyZXQ="), "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN ***"},
      {make(Verb::auth, "PLAIN"), "AUTH PLAIN\r\n", "AUTH PLAIN"},
      {make(Verb::auth_response, "AGpvZQBzZWNyZXQ="), "AGpvZQBzZWNyZXQ=\r\n", "***"},
  };
}

TEST(Command, GoesOutAsOneLine) {
  for (const Row& row : table()) EXPECT_EQ(to_wire(row.command), row.wire);
}

TEST(Command, IsTracedWithoutItsSecret) {
  for (const Row& row : table()) EXPECT_EQ(to_trace(row.command), row.trace);
}

TEST(Command, ItsSecretIsWhatTheTraceLeavesOut) {
  EXPECT_EQ(secret_of(make(Verb::pass, "my secret word")), "my secret word");
  EXPECT_EQ(secret_of(make(Verb::apop, "joe user c4c9334b")), "c4c9334b");
  EXPECT_EQ(secret_of(make(Verb::apop, "c4c9334b")), "c4c9334b");
  EXPECT_EQ(secret_of(make(Verb::auth, "PLAIN AGpvZQB3b3Jk")), "AGpvZQB3b3Jk");
  EXPECT_EQ(secret_of(make(Verb::auth, "PLAIN")), "");
  EXPECT_EQ(secret_of(make(Verb::auth_response, "AGpvZQB3b3Jk")), "AGpvZQB3b3Jk");
  EXPECT_EQ(secret_of(make(Verb::user, "joe")), "");
}

TEST(Command, TheVerbsThatCarryASecretAreKnown) {
  for (const Row& row : table()) {
    const Verb verb = row.command.verb;
    EXPECT_EQ(carries_secret(verb), verb == Verb::pass || verb == Verb::apop || verb == Verb::auth || verb == Verb::auth_response) << row.trace;
  }
}

TEST(Command, TheReplyHasTheFormThatTheVerbAsksFor) {
  for (const Verb verb : {Verb::capa, Verb::list, Verb::uidl}) EXPECT_EQ(reply_form(verb), ReplyForm::multi_line);
  for (const Verb verb : {Verb::retr, Verb::top}) EXPECT_EQ(reply_form(verb), ReplyForm::body);
  for (const Verb verb : {Verb::auth, Verb::auth_response}) EXPECT_EQ(reply_form(verb), ReplyForm::challenge);
  for (const Verb verb :
       {Verb::stls, Verb::user, Verb::pass, Verb::apop, Verb::stat, Verb::list_one, Verb::uidl_one, Verb::dele, Verb::rset, Verb::noop, Verb::quit}) {
    EXPECT_EQ(reply_form(verb), ReplyForm::single_line);
  }
}

// protocol.md 48: a line end inside an argument would be a second command.
TEST(CommandDeathTest, ALineEndInAnArgumentIsABug) {
  EXPECT_DEATH(to_wire(make(Verb::pass, "x\r\nDELE 1")), "assertion failed");
  EXPECT_DEATH(to_wire(make(Verb::user, "x\ny")), "assertion failed");
  EXPECT_DEATH(to_wire(make(Verb::user, "x\0y"s)), "assertion failed");
}

TEST(CommandDeathTest, AMessageNumberIsNeverZero) { EXPECT_DEATH(to_wire(make(Verb::dele)), "assertion failed"); }

}  // namespace
}  // namespace popsync::pop3
