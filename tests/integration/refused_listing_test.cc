// SPDX-License-Identifier: MIT
// Servers that refuse to list an empty maildrop, and outages that must not look like one. protocol.md 54.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/stored_state.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct RefusedListing : testing::Test {
  void SetUp() override { home.configure({.port = server.port()}); }
  // As the server does it while the maildrop has no messages.
  void refuse(const std::string& words) {
    server.change([&](MaildropKnobs& knobs) {
      knobs.faults = {{.verb = "UIDL", .reply = "-ERR " + words}, {.verb = "LIST", .reply = "-ERR " + words}};
    });
  }
  // The messages are out of sight.
  void take_away() {
    server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
    refuse("no messages");
  }
  void bring_back() { server.set_knobs({}); }
  ProgramResult sync() {
    server.clear_record();
    return home.run({"sync", "home"});
  }
  // A whole listing is due: what a glance may stand for is forgotten.
  void list_whole_next() const { change_state(home.state_dir(), "UPDATE server_memory SET listing_count = NULL"); }
  [[nodiscard]] std::size_t said(const std::string& command) const {
    const auto record = server.record();
    return static_cast<std::size_t>(std::ranges::count(record.commands, command, &ReceivedCommand::line));
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(RefusedListing, OfAnEmptyMaildropIsNoError) {
  refuse("no messages");
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(said("STAT"), 1U);
  EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "accounts[0].state"), "ok");
  EXPECT_EQ(home.run({"list", "home"}).status, 0);
  EXPECT_EQ(home.run({"check", "--connect"}).status, 0);
  bring_back();
  server.add(small_message("first"));
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(messages_in(home.maildir()).size(), 1U);
}

TEST_F(RefusedListing, IsNotAskedForAgainWhereStatSaysZero) {
  refuse("no messages");
  EXPECT_EQ(sync().status, 0);
  for (int i = 0; i < 2; ++i) {
    list_whole_next();
    EXPECT_EQ(sync().status, 0);
    EXPECT_EQ(said("STAT"), 1U);
    EXPECT_EQ(said("UIDL") + said("LIST"), 0U);
  }
  bring_back();
  server.add(small_message("first"));
  list_whole_next();
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(said("STAT"), 1U);
  EXPECT_EQ(said("LIST"), 1U);
  EXPECT_EQ(messages_in(home.maildir()).size(), 1U);
}

TEST_F(RefusedListing, ForgetsNoMessage) {
  server.add(small_message("first"));
  server.add(small_message("second"));
  EXPECT_EQ(sync().status, 0);
  for (int i = 0; i < 2; ++i) {
    take_away();
    EXPECT_EQ(sync().status, 0);
    EXPECT_EQ(said("STAT"), 1U);  // also where it was a glance
    EXPECT_EQ(said("LIST"), i == 0 ? 1U : 0U);
    bring_back();
    EXPECT_EQ(sync().status, 0);
    EXPECT_EQ(messages_in(home.maildir()).size(), 2U);  // compared, and not stored again
  }
}

TEST_F(RefusedListing, InOneCommandAloneIsAnEmptyMaildropToo) {
  for (const bool pipelining : {true, false}) {
    for (const char* verb : {"UIDL", "LIST"}) {
      ProgramHome fresh;
      fresh.configure({.port = server.port()});
      server.change([&](MaildropKnobs& knobs) {
        knobs.pipelining = pipelining;
        knobs.faults = {{.verb = verb, .reply = "-ERR Mailbox is empty"}};
      });
      const ProgramResult result = fresh.run({"sync"});
      EXPECT_EQ(result.status, 0) << verb << ": " << result.err;
    }
  }
}

TEST_F(RefusedListing, WhereStatCountsMessagesIsAnError) {
  server.add(small_message("first"));
  refuse("no messages");
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 75);
  EXPECT_THAT(result.err, AllOf(HasSubstr("LIST refused"), HasSubstr("no messages")));
  EXPECT_EQ(server.record().quits, 0U);
}

TEST_F(RefusedListing, WhereStatIsRefusedIsAnError) {
  server.change([](MaildropKnobs& knobs) {
    for (const char* verb : {"UIDL", "LIST", "STAT"}) knobs.faults.push_back({.verb = verb, .reply = "-ERR no messages"});
  });
  EXPECT_EQ(sync().status, 75);
}

// An unmounted mail store.
TEST_F(RefusedListing, InOtherWordsOrWithAResponseCodeIsAnError) {
  for (const char* words :
       {"", "no", "cannot open the mailbox", "no messages: cannot open the mailbox", "[SYS/TEMP] no messages", "[X-STORE] no messages"}) {
    refuse(words);
    EXPECT_EQ(sync().status, 75) << words;
    EXPECT_EQ(said("STAT"), 0U) << words;
  }
}

TEST_F(RefusedListing, OfUnknownReasonBesideAKnownOneIsAnError) {
  server.change([](MaildropKnobs& knobs) {
    knobs.faults = {{.verb = "UIDL", .reply = "-ERR store not there"}, {.verb = "LIST", .reply = "-ERR no messages"}};
  });
  EXPECT_EQ(sync().status, 75);
}

}  // namespace
}  // namespace popsync::test
