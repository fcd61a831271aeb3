// SPDX-License-Identifier: MIT
// Messages that are set aside: too big, or refused by the server. The others go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

struct HeldMessages : testing::Test {
  void SetUp() override {
    server.add(small_message("one"), "uid-one");
    server.add(small_message("big", std::string(5000, 'x') + "\r\n"), "uid-big");
    server.add(small_message("three"), "uid-three");
    configure({});
  }
  void configure(const std::vector<std::string>& more) { home.configure({.port = server.port(), .more = more}); }
  std::string sync(const std::string& field) { return json_at(home.run({"sync", "--json"}).out, "accounts[0]." + field); }
  std::string status(const std::string& field) { return json_at(home.run({"status", "--json"}).out, "accounts[0]." + field); }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(HeldMessages, MessageOverTheLimitIsNeverRetrievedAndShown) {
  configure({"max_message_size = \"2kB\""});
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "2");
  EXPECT_EQ(json_at(result.out, "accounts[0].held"), "1");
  EXPECT_EQ(server.record().retrievals("uid-big"), 0U);
  EXPECT_EQ(status("held[0].uid"), "uid-big");
  EXPECT_THAT(status("held[0].reason"), HasSubstr("max_message_size"));
  EXPECT_EQ(status("held[0].tries"), "0");
}

TEST_F(HeldMessages, MessageOverTheLimitIsNeverDeleted) {
  configure({"max_message_size = \"2kB\"", "leave_on_server = false"});
  sync("fetched");
  sync("fetched");
  EXPECT_EQ(server.uids(), std::vector<std::string>{"uid-big"});
}

TEST_F(HeldMessages, RaisingTheLimitFetchesIt) {
  configure({"max_message_size = \"2kB\""});
  sync("fetched");
  configure({"max_message_size = \"2MB\""});
  EXPECT_EQ(sync("fetched"), "1");
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(HeldMessages, MessageListedSmallerThanItIsIsHeldAndTheOthersComeInTheNextSession) {
  server.change([](MaildropKnobs& knobs) { knobs.list_lines = {{2, "2 100"}}; });
  configure({"max_message_size = \"2kB\""});
  home.run({"sync"});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()), as_stored({small_message("one"), small_message("three")}));
  EXPECT_EQ(status("held[0].uid"), "uid-big");
  server.clear_record();
  home.run({"sync"});
  EXPECT_EQ(server.record().count("RETR"), 0U);
}

TEST_F(HeldMessages, RefusedMessageIsHeldAfterThreeTriesAndTheOthersGoOn) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}}; });
  EXPECT_EQ(sync("fetched"), "2");
  EXPECT_EQ(status("held[0].tries"), "1");
  EXPECT_EQ(sync("result"), "ok");
  EXPECT_EQ(sync("result"), "ok");
  EXPECT_EQ(status("held[0].tries"), "3");
  EXPECT_THAT(status("held[0].reason"), HasSubstr("damaged"));
  server.clear_record();
  server.add(small_message("four"));
  EXPECT_EQ(sync("fetched"), "1");
  EXPECT_EQ(server.record().count("RETR"), 1U);
}

TEST_F(HeldMessages, RefusedMessageThatRecoversIsFetchedOnce) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}}; });
  sync("fetched");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  EXPECT_EQ(sync("fetched"), "1");
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(HeldMessages, RefusedMessageIsNotDeletedAndTheOthersAre) {
  configure({"leave_on_server = false"});
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}}; });
  sync("fetched");
  EXPECT_EQ(server.uids(), std::vector<std::string>{"uid-big"});
}

TEST_F(HeldMessages, RefetchOfAHeldMessageTriesItAgain) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}}; });
  for (int i = 0; i < 3; ++i) sync("fetched");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  EXPECT_EQ(sync("fetched"), "0");
  EXPECT_EQ(home.run({"refetch", "home", "uid-big"}).status, 0);
  EXPECT_EQ(sync("fetched"), "1");
}

TEST_F(HeldMessages, ServersDownloadLimitLeavesTheRestForLater) {
  server.change([](MaildropKnobs& knobs) { knobs.retr_max = 1; });
  for (int i = 0; i < 3; ++i) sync("fetched");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

}  // namespace
}  // namespace popsync::test
