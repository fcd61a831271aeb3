// SPDX-License-Identifier: MIT
// Unique-ids that are not what RFC 1939 section 7 promises: used again, used twice, returning, all changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

std::string message(const std::string& subject, const std::string& body = "Hello\r\n") {
  return "From: ada@example.org\r\nTo: alice@example.com\r\nDate: Mon, 2 Oct 2023 10:00:00 +0000\r\nMessage-ID: <" + subject +
         "@example.org>\r\nSubject: " + subject + "\r\n\r\n" + body;
}

struct UniqueIdTrouble : testing::Test {
  sync::SyncReport sync() {
    sync::SyncReport report = popsync.sync();
    EXPECT_FALSE(report.error) << report.error->what();
    return report;
  }
  void remove() { popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove"); }
  [[nodiscard]] std::vector<std::string> stored() const { return messages_in(popsync.maildir()); }

  MaildropServer server;
  SyncInProcess popsync{server};
};

// protocol.md 62
TEST_F(UniqueIdTrouble, ReusedUniqueIdWithAnotherSizeIsANewMessage) {
  server.add(message("first"), "same");
  sync();
  server.remove("same");
  server.add(message("second", "another and longer body\r\n"), "same");
  EXPECT_EQ(sync().fetched, 1U);
  EXPECT_EQ(stored(), as_stored({message("first"), message("second", "another and longer body\r\n")}));
  EXPECT_EQ(sync().fetched, 0U);
}

TEST_F(UniqueIdTrouble, ReusedUniqueIdIsNotDeletedUnread) {
  server.add(message("first"), "same");
  sync();
  server.remove("same");
  server.add(message("second", "another and longer body\r\n"), "same");
  remove();
  sync();
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(stored(), as_stored({message("first"), message("second", "another and longer body\r\n")}));
}

TEST_F(UniqueIdTrouble, ReusedUniqueIdOfTheSameSizeIsNoticedOnceItWasAbsent) {
  server.add(message("stays"), "stays");
  server.add(message("aaaaa"), "same");
  sync();
  server.remove("same");
  sync();
  server.add(message("bbbbb"), "same");
  sync();
  EXPECT_EQ(stored(), as_stored({message("stays"), message("aaaaa"), message("bbbbb")}));
}

TEST_F(UniqueIdTrouble, EqualUniqueIdsInOneListingAllArriveOnce) {
  for (const char* subject : {"one", "three", "fifteen"}) server.add(message(subject), "same");
  EXPECT_EQ(sync().fetched, 3U);
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(UniqueIdTrouble, EqualUniqueIdsOfEqualSizeAllArriveOnce) {
  for (const char* subject : {"aaa", "bbb", "ccc"}) server.add(message(subject), "same");
  EXPECT_EQ(sync().fetched, 3U);
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(UniqueIdTrouble, MessageThatJoinsAnEqualUniqueIdArrivesToo) {
  server.add(message("one"), "same");
  sync();
  server.add(message("three"), "same");
  EXPECT_EQ(sync().fetched, 1U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(UniqueIdTrouble, ASecondEqualMessageBehindOneUniqueIdIsComparedOnce) {
  server.add(message("one"), "same");
  sync();
  server.add(message("one"), "same");
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(server.record().count("RETR"), 2U);
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(server.record().count("RETR"), 2U);
  EXPECT_EQ(stored(), as_stored({message("one")}));
}

// That the unique-id is listed for another message gives no row up, and a session that broke before it was compared counts for nothing.
TEST_F(UniqueIdTrouble, AMessageBehindAnEqualUniqueIdIsStillKnownAfterComingAndGoing) {
  std::size_t looks = 0;
  const auto look = [&] {  // with a new message in the place of the last one, so that the maildrop is listed whole
    server.remove("other " + std::to_string(looks++));
    server.add(message("other", std::string(looks, 'x') + "\r\n"), "other " + std::to_string(looks));
    return popsync.sync();
  };
  server.add(message("one"), "same");
  server.add(message("three"), "same");
  look();
  server.remove("same");  // the first of the two
  look();
  look();
  server.add(message("one"), "same");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .close = true}}; });
  EXPECT_TRUE(look().error.has_value());
  server.change([](MaildropKnobs& knobs) { knobs.faults.clear(); });
  server.remove("same");
  server.remove("same");
  server.add(message("three"), "same");
  look();
  server.add(message("one"), "same");
  look();
  EXPECT_EQ(std::ranges::count(stored(), as_stored({message("one")}).front()), 1);
}

// Such a listing is one of an outage. The one behind it is short, too, and to believe it would fetch everything anew to compare.
TEST_F(UniqueIdTrouble, AShortListingBehindAnEmptyOneProvesNoAbsence) {
  for (const char* subject : {"one", "two", "three"}) server.add(message(subject));
  sync();
  server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
  sync();
  server.change([](MaildropKnobs& knobs) {
    knobs.empty_listing = false;
    knobs.stat_reply = "+OK 1 100";
    for (const int missing : {1, 2}) knobs.list_lines[missing] = knobs.uidl_lines[missing] = "";
  });
  sync();
  server.change([](MaildropKnobs& knobs) { knobs = {}; });
  sync();
  EXPECT_EQ(server.record().count("RETR"), 3U);
}

// A maildrop that is taken away, gets mail meanwhile, and is put back: some servers give its messages new unique-ids.
TEST_F(UniqueIdTrouble, AMaildropThatComesBackWithNewUniqueIdsIsNotFetchedAgain) {
  const std::vector<std::string> subjects = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
  std::vector<std::string> before;
  for (const std::string& subject : subjects) before.push_back(server.add(message(subject)));
  sync();
  for (const std::string& uid : before) server.remove(uid);
  sync();
  server.add(message("during the outage"));
  EXPECT_EQ(sync().fetched, 1U);
  sync();
  for (const std::string& subject : subjects) server.add(message(subject));
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(UniqueIdTrouble, AServerThatHasNoUidlTodayIsAskedAgainAndNothingIsFetchedTwice) {
  server.add(message("one"), "first");
  sync();
  server.add(message("two"), "second");
  server.change([](MaildropKnobs& knobs) { knobs.uidl = false; });
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.error->code(), ErrorCode::server_temporary);
  EXPECT_EQ(server.record().count("RETR"), 1U);
  server.change([](MaildropKnobs& knobs) { knobs.uidl = true; });
  EXPECT_EQ(sync().fetched, 1U);
  EXPECT_EQ(stored(), as_stored({message("one"), message("two")}));
}

TEST_F(UniqueIdTrouble, EqualUniqueIdsAreDeletedOnlyWhenEachWasStored) {
  for (const char* subject : {"one", "three", "fifteen"}) server.add(message(subject), "same");
  const auto all = as_stored(server.messages());
  remove();
  sync();
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(stored(), all);
}

TEST_F(UniqueIdTrouble, ChangedSizeOfAnUnchangedMessageIsSettledByContent) {
  server.add(message("one"), "uid");
  sync();
  server.change([](MaildropKnobs& knobs) { knobs.list_size = [](std::uint64_t size) { return std::to_string(size + 33); }; });
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
  server.clear_record();
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(server.record().count("RETR"), 0U);
}

TEST_F(UniqueIdTrouble, SizesThatNeverStandStillAreNotBelievedAnyMore) {
  server.add(message("one"), "uid");
  std::uint64_t more = 0;
  for (int session = 0; session < 8; ++session) {
    ++more;
    server.change([more](MaildropKnobs& knobs) { knobs.list_size = [more](std::uint64_t size) { return std::to_string(size + more); }; });
    sync();
  }
  EXPECT_EQ(stored(), as_stored(server.messages()));
  EXPECT_LE(server.record().count("RETR"), 5U);
}

// protocol.md 100
TEST_F(UniqueIdTrouble, MessageChangedOnTheServerIsKeptOnceAndNotDeleted) {
  server.add(message("one"), "uid");
  sync();
  server.remove("uid");
  server.add(message("one", "a footer was added\r\n"), "uid");
  remove();
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(server.count(), 1U);
  EXPECT_EQ(stored(), as_stored({message("one")}));
}

TEST_F(UniqueIdTrouble, StrangeUniqueIdsAreKeys) {
  const std::vector<std::string> strange = {"a b", "%", "#2", std::string(300, 'u'), "\xff\xfe", "\x01", "../../etc/passwd"};
  for (std::size_t i = 0; i < strange.size(); ++i) server.add(message(std::string(i + 1, 'm')), strange[i]);
  EXPECT_EQ(sync().fetched, strange.size());
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

TEST_F(UniqueIdTrouble, WithoutUniqueIdsEqualMessagesAreOneAndOthersAllArrive) {
  server.change([](MaildropKnobs& knobs) { knobs.uidl = false; });
  remove();
  for (const char* subject : {"one", "two"}) server.add(message(subject));
  EXPECT_EQ(sync().fetched, 2U);
  EXPECT_EQ(server.count(), 0U);
  server.add(message("three"));
  EXPECT_EQ(sync().fetched, 1U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(stored(), as_stored({message("one"), message("two"), message("three")}));
}

TEST_F(UniqueIdTrouble, RetrievedMessagesThatAServerHidesAreNotForgotten) {
  for (const char* subject : {"one", "two", "three"}) server.add(message(subject));
  server.change([](MaildropKnobs& knobs) { knobs.hide_retrieved = true; });
  sync();
  sync();
  server.add(message("four"));
  EXPECT_EQ(sync().fetched, 1U);
  server.unhide();
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored(), as_stored(server.messages()));
}

}  // namespace
}  // namespace popsync::test
