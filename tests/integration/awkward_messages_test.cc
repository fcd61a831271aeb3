// SPDX-License-Identifier: MIT
// Messages that break other programs arrive byte for byte, whatever the server lets popsync do: commands sent ahead or not, and each kind of marker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

enum class MarkerWanted { uidl, list, none };

struct Manner {
  std::string name;
  net::Pipelining pipelining;
  MarkerWanted marker;
};
void PrintTo(const Manner& tested, std::ostream* out) { *out << tested.name; }

MaildropKnobs knobs_for(const Manner& manner) {
  MaildropKnobs knobs;
  knobs.pipelining = manner.pipelining != net::Pipelining::off;
  // A marker that is refused with an argument, while the whole listing is given: some servers are so.
  const auto refuse = [&](const char* verb) {
    for (int number = 1; number <= 60; ++number) knobs.faults.push_back({.verb = verb, .message = number, .reply = "-ERR no arguments"});
  };
  if (manner.marker != MarkerWanted::uidl) refuse("UIDL");
  if (manner.marker == MarkerWanted::none) refuse("LIST");
  return knobs;
}

struct AwkwardMessages : testing::TestWithParam<Manner> {};

// protocol.md 75, 85, 86, 89, 90
TEST_P(AwkwardMessages, ArriveByteForByte) {
  MaildropServer server({}, knobs_for(GetParam()));
  for (NamedMessage& message : awkward_messages()) server.add(std::move(message.octets));
  SyncInProcess popsync(server);
  popsync.settings.login.pipelining = GetParam().pipelining;
  const sync::SyncReport report = popsync.sync();
  EXPECT_FALSE(report.error) << report.error->what();
  EXPECT_EQ(report.fetched, server.count());
  const std::vector<std::string> expected = as_stored(server.messages());
  const std::vector<std::string> stored = messages_in(popsync.maildir());
  ASSERT_EQ(stored.size(), expected.size());
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_TRUE(stored[i] == expected[i]) << "message of " << expected[i].size() << " octets";
}

TEST_P(AwkwardMessages, AreNotFetchedAgain) {
  MaildropServer server({}, knobs_for(GetParam()));
  for (NamedMessage& message : awkward_messages()) server.add(std::move(message.octets));
  SyncInProcess popsync(server);
  popsync.settings.login.pipelining = GetParam().pipelining;
  popsync.sync();
  const sync::SyncReport second = popsync.sync();
  EXPECT_FALSE(second.error);
  EXPECT_EQ(second.fetched, 0U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), server.count());
}

TEST_P(AwkwardMessages, AreDeletedOnlyWhenStored) {
  MaildropServer server({}, knobs_for(GetParam()));
  for (NamedMessage& message : awkward_messages()) server.add(std::move(message.octets));
  const std::vector<std::string> expected = as_stored(server.messages());
  SyncInProcess popsync(server);
  popsync.settings.login.pipelining = GetParam().pipelining;
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  const sync::SyncReport report = popsync.sync();
  EXPECT_FALSE(report.error) << report.error->what();
  EXPECT_EQ(server.count(), 0U);
  EXPECT_TRUE(messages_in(popsync.maildir()) == expected);
}

INSTANTIATE_TEST_SUITE_P(Manners, AwkwardMessages,
                         testing::Values(Manner{"SentAheadUidl", net::Pipelining::automatic, MarkerWanted::uidl},
                                         Manner{"SentAheadList", net::Pipelining::automatic, MarkerWanted::list},
                                         Manner{"NoMarker", net::Pipelining::automatic, MarkerWanted::none},
                                         Manner{"OneAtATimeUidl", net::Pipelining::off, MarkerWanted::uidl},
                                         Manner{"OneAtATimeList", net::Pipelining::off, MarkerWanted::list},
                                         Manner{"OneAtATimeNoMarker", net::Pipelining::off, MarkerWanted::none},
                                         Manner{"ForcedOn", net::Pipelining::on, MarkerWanted::uidl}),
                         [](const auto& tested) { return tested.param.name; });

TEST(AwkwardListing, SizesThatAreNoNumbersOrWrongDoNotKeepMessagesBack) {
  MaildropServer server;
  server.change([](MaildropKnobs& knobs) {
    knobs.list_lines = {{1, "1 about-80"}, {2, "2 99999999999999999999999"}, {3, "3"}};
    knobs.list_size = [](std::uint64_t size) { return std::to_string(size + 17); };
  });
  for (int i = 0; i < 5; ++i) server.add(small_message(std::to_string(i)));
  SyncInProcess popsync(server);
  popsync.sync();
  popsync.sync();
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
}

TEST(AwkwardListing, UniqueIdLinesThatMakeNoSenseLeaveOnlyThoseMessagesAlone) {
  MaildropServer server;
  server.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {{2, "2"}, {3, "three uid3"}}; });
  for (int i = 0; i < 4; ++i) server.add(small_message(std::to_string(i)));
  SyncInProcess popsync(server);
  const sync::SyncReport report = popsync.sync();
  EXPECT_EQ(report.fetched, 2U);
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored({small_message("0"), small_message("3")}));
  server.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {}; });
  EXPECT_EQ(popsync.sync().fetched, 2U);
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
}

// protocol.md 54
TEST(AwkwardListing, EmptyListingForgetsNothing) {
  MaildropServer server;
  for (int i = 0; i < 4; ++i) server.add(small_message(std::to_string(i)));
  SyncInProcess popsync(server);
  popsync.sync();
  server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(popsync.sync().error);
  server.change([](MaildropKnobs& knobs) { knobs.empty_listing = false; });
  const sync::SyncReport report = popsync.sync();
  EXPECT_EQ(report.fetched, 0U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 4U);
}

TEST(AwkwardListing, CommandsAreSentAheadOnlyWhereTheServerSaysSo) {
  for (const bool announced : {true, false}) {
    MaildropServer server({}, {.pipelining = announced});
    for (int i = 0; i < 5; ++i) server.add(small_message(std::to_string(i)));
    SyncInProcess popsync(server);
    EXPECT_EQ(popsync.sync().fetched, 5U);
    EXPECT_EQ(server.record().sent_ahead > 0, announced);
  }
}

TEST(AwkwardListing, ManyMessagesOfAnyKindComeOnce) {
  MaildropServer server;
  for (std::string& message : realistic_messages(700, 5)) server.add(std::move(message));
  SyncInProcess popsync(server);
  EXPECT_EQ(popsync.sync().fetched, 700U);
  EXPECT_EQ(popsync.sync().fetched, 0U);
  EXPECT_TRUE(messages_in(popsync.maildir()) == as_stored(server.messages()));
}

}  // namespace
}  // namespace popsync::test
