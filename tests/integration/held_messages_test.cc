// SPDX-License-Identifier: MIT
// Messages that are set aside: too big, or refused by the server. The others go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"
#include "sync/fetch_plan.h"

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

// ---- without UIDL

struct HeldWithoutUidl : testing::Test {
  void SetUp() override {
    server.change([](MaildropKnobs& knobs) {
      knobs.uidl = false;
      knobs.faults = {{.verb = "RETR", .message = "broken", .reply = "-ERR damaged"}};
    });
    server.add(broken, "broken");
    server.add(small_message("a"), "other");
  }
  const std::string broken = small_message("broken message");
  const std::string later = small_message("another one ..");  // of the same size
  MaildropServer server;
};

struct HeldWithoutUidlInTheProgram : HeldWithoutUidl {
  void SetUp() override {
    HeldWithoutUidl::SetUp();
    home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
    for (int i = 0; i < 3; ++i) home.run({"sync", "home"});
  }
  std::string status(const std::string& field) { return json_at(home.run({"status", "--json"}).out, "accounts[0]." + field); }
  [[nodiscard]] std::size_t retrievals_of_a_sync() {
    server.clear_record();
    EXPECT_EQ(home.run({"sync"}).status, 0);
    return server.record().count("RETR");
  }
  [[nodiscard]] std::string name() const { return "size:" + std::to_string(broken.size()) + "#1"; }
  ProgramHome home;
};

TEST_F(HeldWithoutUidlInTheProgram, IsNamedByItsSizeAndRetryAndSkipTakeTheName) {
  EXPECT_EQ(status("held[0].uid"), name());
  EXPECT_EQ(status("held[0].tries"), "3");
  EXPECT_EQ(json_at(home.run({"list", "home", "--json"}).out, "messages[0].uid"), name());
  EXPECT_EQ(json_at(home.run({"list", "home", "--json"}).out, "messages[0].state"), "held");
  EXPECT_EQ(retrievals_of_a_sync(), 0U);
  EXPECT_EQ(home.run({"retry", "home", name()}).status, 0);
  EXPECT_EQ(retrievals_of_a_sync(), 1U);
  EXPECT_EQ(home.run({"skip", "home", name()}).status, 0);
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(json_at(home.run({"list", "home", "--json"}).out, "messages[0].state"), "skipped");
  EXPECT_EQ(retrievals_of_a_sync(), 0U);
  EXPECT_EQ(home.run({"retry", "home", name()}).status, 0);
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  EXPECT_EQ(retrievals_of_a_sync(), 1U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(home.maildir()), as_stored({broken, small_message("a")}));
}

TEST_F(HeldWithoutUidlInTheProgram, GoesWhenNothingOfItsSizeIsListedAndAnEmptyListingSaysNothing) {
  server.remove("broken");
  EXPECT_EQ(retrievals_of_a_sync(), 0U);
  EXPECT_EQ(status("held[0].uid"), name());
  server.add(small_message("b"), "b");
  EXPECT_EQ(retrievals_of_a_sync(), 1U);
  EXPECT_EQ(status("held"), "[]");
  server.add(later, "later");
  EXPECT_EQ(retrievals_of_a_sync(), 1U);
  EXPECT_EQ(messages_in(home.maildir()), as_stored({small_message("a"), small_message("b"), later}));
}

TEST_F(HeldWithoutUidlInTheProgram, WrongNamesAreRefused) {
  for (const char* wrong : {"size:1#1", "size:#1", "size:5#0"}) EXPECT_EQ(home.run({"skip", "home", wrong}).status, 64) << wrong;
  EXPECT_EQ(home.run({"skip", "home", "size:" + std::to_string(broken.size()) + "#2"}).status, 64);
}

// The later message stands where the held one stood, and nothing but the size could tell them apart.
TEST_F(HeldWithoutUidl, KeepsALaterMessageOfItsSizeAwayForADayAtMost) {
  ASSERT_EQ(broken.size(), later.size());
  SyncInProcess popsync(server);
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove}, "remove");
  const auto retrievals = [&] {
    server.clear_record();
    EXPECT_FALSE(popsync.sync().error);
    return server.record().count("RETR");
  };
  for (int i = 0; i < 3; ++i) retrievals();
  EXPECT_EQ(retrievals(), 0U);
  popsync.clock.advance(sync::kHeldTriedAgainAfter - std::chrono::seconds(1));
  EXPECT_EQ(retrievals(), 0U);
  popsync.clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(retrievals(), 1U);  // it is still the broken one
  EXPECT_EQ(retrievals(), 0U);
  server.remove("broken");
  server.add(later, "later");
  EXPECT_EQ(retrievals(), 0U);
  popsync.clock.advance(sync::kHeldTriedAgainAfter);
  EXPECT_EQ(retrievals(), 1U);
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored({small_message("a"), later}));
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(popsync.store().held_count(popsync.store().accounts().at(0).id), 0U);
}

// ---- over the limit

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

TEST_F(HeldMessages, MessageThatWasRefusedOnceAndIsLargerThanListedIsHeldOnce) {
  server.change([](MaildropKnobs& knobs) {
    knobs.list_lines = {{2, "2 100"}};
    knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}};
  });
  configure({"max_message_size = \"2kB\""});
  home.run({"sync"});
  EXPECT_EQ(status("held[0].tries"), "1");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  home.run({"sync"});
  EXPECT_THAT(status("held[0].reason"), HasSubstr("max_message_size"));
  EXPECT_EQ(status("held[1]"), "null");
  server.clear_record();
  home.run({"sync"});
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_EQ(messages_in(home.maildir()), as_stored({small_message("one"), small_message("three")}));
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

// ---- a message at whose place the session breaks

TEST_F(HeldMessages, MessageAtWhichTheServerHangsUpBlocksTheOthersOnce) {
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 100, .message = "uid-big"}; });
  EXPECT_EQ(home.run({"sync"}).status, 75);
  EXPECT_EQ(status("held[0].tries"), "1");
  EXPECT_EQ(sync("fetched"), "1");  // the one behind it
  EXPECT_EQ(messages_in(home.maildir()), as_stored({small_message("one"), small_message("three")}));
}

TEST_F(HeldMessages, MessageAtWhichTheServerHangsUpIsHeldAfterThreeTries) {
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 100, .message = "uid-big"}; });
  home.run({"sync"});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(sync("result"), "ok");
  EXPECT_EQ(status("held[0].tries"), "3");
  EXPECT_THAT(status("held[0].reason"), HasSubstr("the connection ended in the middle of it"));
  server.clear_record();
  EXPECT_EQ(sync("result"), "ok");
  EXPECT_EQ(server.record().count("RETR"), 0U);
}

TEST_F(HeldMessages, SuspectIsFetchedInASessionOfItsOwnAfterTheOthersHaveQuit) {
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 100, .message = "uid-big"}; });
  home.run({"sync"});
  server.change([](MaildropKnobs& knobs) { knobs.cut.reset(); });
  server.clear_record();
  EXPECT_EQ(sync("fetched"), "2");
  EXPECT_EQ(server.record().count("QUIT"), 2U);
  EXPECT_EQ(server.record().count("AUTH"), 2U);
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_EQ(sync("fetched"), "0");
}

TEST_F(HeldMessages, SuspectsDeletionIsNotLostInItsOwnSession) {
  configure({"leave_on_server = false"});
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 100, .message = "uid-big"}; });
  home.run({"sync"});
  server.change([](MaildropKnobs& knobs) { knobs.cut.reset(); });
  EXPECT_EQ(sync("deleted"), "3");
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(HeldMessages, NoSecondSessionWhereTheServerAsksForADelayBetweenLogins) {
  server.change([](MaildropKnobs& knobs) {
    knobs.cut = Cut{.octets = 100, .message = "uid-big"};
    knobs.login_delay = "300";
  });
  SyncInProcess process(server);
  process.sync();
  process.clock.advance(std::chrono::seconds(301));
  server.clear_record();
  EXPECT_EQ(process.sync().fetched, 1U);
  EXPECT_EQ(server.record().count("AUTH"), 1U);
  server.change([](MaildropKnobs& knobs) { knobs.cut.reset(); });
  process.clock.advance(std::chrono::seconds(301));
  EXPECT_EQ(process.sync().fetched, 1U);  // nothing else to do: the session is the suspect's
}

TEST_F(HeldMessages, ServerThatHangsUpBetweenMessagesIsNoMessagesFault) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .nth = 3, .close = true}}; });
  EXPECT_EQ(home.run({"sync"}).status, 75);
  EXPECT_EQ(status("held"), "[]");
}

TEST_F(HeldMessages, KnownMessageThatCannotBeComparedIsLeftAloneAfterThreeTries) {
  sync("fetched");
  const std::string big = server.messages()[1];
  server.remove("uid-big");
  sync("fetched");
  server.add(big, "uid-big");  // it returns, so its content is compared; and the server always hangs up on it
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 100, .message = "uid-big"}; });
  for (int i = 0; i < 3; ++i) sync("fetched");
  server.clear_record();
  EXPECT_EQ(sync("result"), "ok");
  EXPECT_EQ(server.record().count("RETR"), 0U);
}

// ---- the operator's word

TEST_F(HeldMessages, RetryTriesAHeldMessageAgain) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}}; });
  for (int i = 0; i < 3; ++i) sync("fetched");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  const ProgramResult result = home.run({"retry", "home", "uid-big"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "home: 1 message will be tried again at the next sync\n");
  EXPECT_EQ(status("held[0].tries"), "0");
  EXPECT_EQ(sync("fetched"), "1");
  EXPECT_EQ(status("held"), "[]");
}

TEST_F(HeldMessages, SkippedMessageIsNeverTriedNorDeletedNorShownAsHeld) {
  configure({"leave_on_server = false"});
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-big", .reply = "-ERR damaged"}}; });
  sync("fetched");
  EXPECT_EQ(home.run({"skip", "home", "uid-big"}).status, 0);
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  server.clear_record();
  EXPECT_EQ(sync("result"), "ok");
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_EQ(server.uids(), std::vector<std::string>{"uid-big"});
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(home.run({"retry", "home", "uid-big"}).status, 0);
  EXPECT_EQ(sync("fetched"), "1");
}

TEST_F(HeldMessages, RetryAndSkipRefuseWhatIsNotHeld) {
  sync("fetched");
  for (const char* word : {"retry", "skip"}) {
    const ProgramResult fetched = home.run({word, "home", "uid-one"});
    EXPECT_EQ(fetched.status, 64);
    EXPECT_THAT(fetched.err, HasSubstr("message uid-one is not held"));
    EXPECT_EQ(home.run({word, "home", "uid-none"}).status, 64);
    EXPECT_EQ(home.run({word, "home"}).status, 64);
  }
}

// protocol.md 92
TEST_F(HeldMessages, ServersDownloadLimitHoldsNothingHoweverManyMessagesWait) {
  server.change([](MaildropKnobs& knobs) { knobs.retr_max = 2; });
  for (int i = 0; i < 9; ++i) server.add(small_message("more " + std::to_string(i)));
  SyncInProcess popsync(server);
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(popsync.sync().error);
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
  EXPECT_EQ(popsync.sync().held, 0U);
}

// protocol.md 92
TEST_F(HeldMessages, ServerThatGivesNothingForADayHoldsNothing) {
  server.change([](MaildropKnobs& knobs) { knobs.retr_max = 0; });
  SyncInProcess popsync(server);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(popsync.sync().held, 0U);
  server.set_knobs({});
  EXPECT_EQ(popsync.sync().fetched, 3U);
}

TEST_F(HeldMessages, ServersDownloadLimitLeavesTheRestForLater) {
  server.change([](MaildropKnobs& knobs) { knobs.retr_max = 1; });
  for (int i = 0; i < 3; ++i) sync("fetched");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

}  // namespace
}  // namespace popsync::test
