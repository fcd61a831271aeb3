// SPDX-License-Identifier: MIT
// A unique-id is used again for another message of the same size: nothing is deleted and nothing taken for known before it was recognised. By the
// real program, or by its sync in this process where a date or an order has to be set. docs/durability.md, "UIDL is not a key".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "delivery/message_prints.h"
#include "state/transaction.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

using std::chrono::hours;
using Kind = sync::LeavePolicy::Kind;

// All of one size, each with a Message-ID.
std::string message(std::size_t number, const std::string& body = "Hello\r\n") { return message_with_id(std::to_string(1'000'000 + number), body); }
std::string uid_of(std::size_t number) { return "uid-" + std::to_string(number); }

struct Confirmation : testing::Test {
  void add(std::size_t count, std::size_t first = 0) {
    for (std::size_t i = first; i < first + count; ++i) server.add(message(i), uid_of(i));
  }
  // Another message under the unique-id of one that is there or was.
  void replace(std::size_t number) {
    server.remove(uid_of(number));
    server.add(message(number + 500'000), uid_of(number));
  }
  void configure(const std::string& leave, const std::vector<std::string>& more = {}) {
    AccountText account{.port = server.port(), .more = {"leave_on_server = " + leave}};
    account.more.insert(account.more.end(), more.begin(), more.end());
    home.configure(account);
  }
  int sync() {
    server.clear_record();
    const int status = home.run({"sync"}).status;
    EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
    return status;
  }
  void outage() {
    server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
    EXPECT_EQ(sync(), 0);
    server.change([](MaildropKnobs& knobs) { knobs.empty_listing = false; });
  }
  [[nodiscard]] std::vector<std::string> here() const { return messages_in(home.maildir()); }
  [[nodiscard]] std::size_t said(const std::string& verb) const { return server.record().count(verb); }
  void knob(const std::function<void(MaildropKnobs&)>& edit) { server.change(edit); }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(Confirmation, BeforeADeleteOfAnEarlierSessionTheHeaderIsLookedAtOnce) {
  add(3);
  configure("true");
  ASSERT_EQ(sync(), 0);
  configure("false");
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), 3U);
  EXPECT_EQ(said("RETR"), 0U);
  EXPECT_EQ(said("DELE"), 3U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Confirmation, AMessageThatWasNeverToldFromItsReplacementIsNotDeletedUnread) {
  add(3);
  configure("true");
  ASSERT_EQ(sync(), 0);
  replace(1);
  configure("false");
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(here().size(), 4U);
  EXPECT_EQ(server.count(), 0U);
}

struct LostQuit : Confirmation, testing::WithParamInterface<QuitBehaviour> {};

// Also with any number of polls of the empty maildrop in between.
TEST_P(LostQuit, AUniqueIdThatIsUsedAgainIsFetchedBeforeItIsDeleted) {
  add(3);
  configure("false");
  knob([](MaildropKnobs& knobs) { knobs.quit = GetParam(); });
  (void)sync();
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  for (std::size_t i = 0; i < 3; ++i) server.remove(uid_of(i));
  for (int poll = 0; poll < 3; ++poll) ASSERT_EQ(sync(), 0);
  for (std::size_t i = 0; i < 3; ++i) replace(i);
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(here().size(), 6U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(said("RETR"), 3U);
}
INSTANTIATE_TEST_SUITE_P(Ends, LostQuit,
                         testing::Values(QuitBehaviour::drop_before_commit, QuitBehaviour::drop_after_commit, QuitBehaviour::error_after_commit,
                                         QuitBehaviour::normal));

// SIGKILL behind QUIT: what we sent is in the state, what came of it is not.
TEST_F(Confirmation, KilledBehindQuitAUniqueIdThatIsUsedAgainIsFetchedBeforeItIsDeleted) {
  add(3);
  configure("false");
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::no_answer; });
  const auto run = home.start({"sync"});
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.quits == 1; }));
  run->signal(SIGKILL);
  (void)run->wait();
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  ASSERT_EQ(server.count(), 0U);
  for (std::size_t i = 0; i < 3; ++i) replace(i);
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(here().size(), 6U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Confirmation, OneOfTwoHundredThatWasReplacedAfterAnUnconfirmedQuitIsFound) {
  constexpr std::size_t kMessages = 200;
  add(kMessages);
  configure("false");
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_before_commit; });
  (void)sync();
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  ASSERT_EQ(server.count(), kMessages);
  replace(137);
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), kMessages);
  EXPECT_EQ(said("RETR"), 1U);
  EXPECT_EQ(here().size(), kMessages + 1);
  EXPECT_EQ(server.count(), 0U);
}

// The user empties the maildrop elsewhere; weeks later unique-id and size return. No failure at all.
struct Returned : testing::Test {
  MaildropServer server;
  SyncInProcess popsync{server};
};

TEST_F(Returned, BehindAnEmptyMaildropANewMessageIsFetchedAndItsAgeBeginsWithIt) {
  popsync.leave({.kind = Kind::remove_after, .age = hours(24 * 14)}, "14d");
  for (std::size_t i = 0; i < 3; ++i) server.add(message(i), uid_of(i));
  EXPECT_EQ(popsync.sync().fetched, 3U);
  for (std::size_t i = 0; i < 3; ++i) server.remove(uid_of(i));
  for (int day = 0; day < 20; ++day) {
    popsync.clock.advance(hours(24));
    EXPECT_EQ(popsync.sync().fetched, 0U);
  }
  for (std::size_t i = 0; i < 3; ++i) server.add(message(i + 100), uid_of(i));
  const sync::SyncReport report = popsync.sync();
  EXPECT_EQ(report.fetched, 3U);
  EXPECT_EQ(report.deleted, 0U);
  EXPECT_EQ(server.count(), 3U);
  popsync.clock.advance(hours(24 * 14) + hours(1));
  EXPECT_EQ(popsync.sync().deleted, 3U);
}

TEST_F(Returned, BehindAHalvedListingANewMessageIsFetchedWhereNothingIsDeleted) {
  for (std::size_t i = 0; i < 8; ++i) server.add(message(i), uid_of(i));
  EXPECT_EQ(popsync.sync().fetched, 8U);
  for (std::size_t i = 2; i < 8; ++i) server.remove(uid_of(i));
  EXPECT_EQ(popsync.sync().fetched, 0U);
  for (std::size_t i = 2; i < 8; ++i) server.add(message(i + 100), uid_of(i));
  EXPECT_EQ(popsync.sync().fetched, 6U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 14U);
}

TEST_F(Confirmation, AServerWhoseTopAltersTheSubjectDoublesNothingAndIsSoonNotAskedForHeaders) {
  add(40);
  configure("true");
  ASSERT_EQ(sync(), 0);
  knob([](MaildropKnobs& knobs) {
    knobs.top_text = [](std::string text) {
      const std::size_t at = text.find("Subject: ");
      return at == std::string::npos ? text : text.insert(at + 9, "[SPAM] ");
    };
  });
  outage();
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), sync::kConfirmGroup);
  EXPECT_EQ(said("RETR"), 40U);
  EXPECT_EQ(here().size(), 40U);
  EXPECT_THAT(home.run({"check", "--connect"}).out, testing::HasSubstr("not asked for headers"));
  configure("false");
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), 0U);
  EXPECT_EQ(here().size(), 40U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Confirmation, AServerThatAnswersTopWithTheWholeMessageIsNotAskedAgain) {
  for (std::size_t i = 0; i < 20; ++i) server.add(message(i, std::string(4000, 'x') + "\r\n"), uid_of(i));
  configure("true");
  ASSERT_EQ(sync(), 0);
  knob([](MaildropKnobs& knobs) { knobs.top_text = [](const std::string& text) { return text + std::string(4000, 'x') + "\r\n"; }; });
  configure("false");
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), sync::kConfirmGroup);  // the headers were right, so they count
  EXPECT_EQ(said("RETR"), 20U - sync::kConfirmGroup);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Confirmation, AMessageWhoseTopEndsTheSessionIsRetrievedApartFromThenOn) {
  add(20);
  configure("true");
  ASSERT_EQ(sync(), 0);
  configure("false");
  knob([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .message = uid_of(3), .close = true}}; });
  EXPECT_EQ(sync(), 75);
  EXPECT_EQ(server.count(), 20U);
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), 19U);
  EXPECT_EQ(said("RETR"), 1U);
  EXPECT_EQ(here().size(), 20U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Confirmation, AfterThreeSessionsThatEndOverTopTheServerIsNotAskedForHeaders) {
  add(40);
  configure("true");
  ASSERT_EQ(sync(), 0);
  configure("false");
  knob([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .close = true}}; });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sync(), 75);
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), 0U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(here().size(), 40U);
}

// Some servers take TOP for reading, and delete what was read at QUIT.
TEST_F(Confirmation, RsetComesBetweenTheLastTopAndTheFirstDele) {
  add(3);
  configure("true", {"rset_before_quit = true"});
  ASSERT_EQ(sync(), 0);
  configure("false", {"rset_before_quit = true"});
  ASSERT_EQ(sync(), 0);
  std::vector<std::string> order;
  for (const ReceivedCommand& command : server.record().commands) {
    const std::string verb = command.line.substr(0, command.line.find(' '));
    if ((verb == "TOP" || verb == "RSET" || verb == "DELE" || verb == "QUIT") && (order.empty() || order.back() != verb)) order.push_back(verb);
  }
  EXPECT_THAT(order, testing::ElementsAre("TOP", "RSET", "DELE", "QUIT"));
}

TEST_F(Confirmation, ARetrThatIsRefusedDoesNotHinderQuit) {
  add(5);
  configure("true");
  ASSERT_EQ(sync(), 0);
  configure("false");
  replace(2);
  knob([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = uid_of(2), .reply = "-ERR not now"}}; });
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(server.uids(), std::vector<std::string>{uid_of(2)});
  knob([](MaildropKnobs& knobs) { knobs.faults = {}; });
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(here().size(), 6U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Confirmation, WhatIsTooBigByNowIsNeitherAskedForNorDeleted) {
  add(1);
  server.add(message(1, std::string(5000, 'x') + "\r\n"), uid_of(1));
  configure("true");
  ASSERT_EQ(sync(), 0);
  configure("false", {"max_message_size = \"1kB\""});
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("TOP"), 1U);
  EXPECT_EQ(server.uids(), std::vector<std::string>{uid_of(1)});
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("LIST"), 0U);  // nothing can be done, so nothing is due
}

// ---- many

TEST_F(Confirmation, ASeededMaildropIsBackAfterAnOutageAndNothingIsFetched) {
  const std::size_t messages = random_cases(20'000, 20'000);
  add(messages);
  configure("true");
  ASSERT_EQ(home.run({"seed", "home"}).status, 0);
  outage();
  ASSERT_EQ(sync(), 0);
  EXPECT_EQ(said("RETR"), 0U);
  EXPECT_EQ(said("TOP"), 0U);
  EXPECT_EQ(here().size(), 0U);
}

struct CutSessions : Confirmation, testing::WithParamInterface<bool> {};

// Four minutes of a server that takes a tenth of a second for each command, and then cuts the connection whatever is going on.
TEST_P(CutSessions, WhatIsDueGoesSessionBySessionAndNewMailIsNeverLate) {
  constexpr std::size_t kCommandsInFourMinutes = 2'400;
  const std::size_t messages = random_cases(3'000, 10'000);
  add(messages);
  knob([](MaildropKnobs& knobs) { knobs.pipelining = false; });
  configure("true");
  ASSERT_EQ(sync(), 0);
  knob([](MaildropKnobs& knobs) {
    knobs.top = GetParam();
    knobs.faults = {{.nth = kCommandsInFourMinutes, .close = true}};
  });
  configure("false");
  const std::size_t sessions_max = messages / 1'000 + 2;
  std::size_t sessions = 0;
  for (; server.count() > 0 && sessions < sessions_max; ++sessions) {
    server.add(message(900'000 + sessions));
    EXPECT_EQ(sync(), 0);
    EXPECT_EQ(here().size(), messages + sessions + 1);
  }
  EXPECT_EQ(server.count(), 0U);
  EXPECT_LE(sessions, messages / 1'000 + 1);
}
INSTANTIATE_TEST_SUITE_P(TopIs, CutSessions, testing::Bool(), [](const auto& tested) { return tested.param ? "there" : "not_there"; });

// 50,000 messages that were stored long ago; made in the state, where fetching them would take minutes.
struct Outage : Returned {
  void store(std::size_t count) {
    EXPECT_EQ(popsync.sync().fetched, 0U);
    const state::AccountRow account = popsync.store().accounts().at(0);
    const state::RowId mailstore = popsync.store().mailstores(account.id).at(0).id;
    auto transaction = popsync.store().begin();
    for (std::size_t i = 0; i < count; ++i) {
      server.add(message(i), uid_of(i));
      const delivery::Prints prints = delivery::prints_of(octets_stored(message(i)));
      const state::RowId row = transaction.insert_staged({.account = account.id,
                                                          .mailstore = mailstore,
                                                          .uid = {uid_of(i)},
                                                          .list_size = message(i).size(),
                                                          .prints = {.wire_octets = message(i).size(),
                                                                     .stored_size = prints.stored_size,
                                                                     .sha256 = prints.sha256,
                                                                     .fingerprint = prints.fingerprint,
                                                                     .header_hash = prints.header_hash,
                                                                     .has_message_id = true},
                                                          .name = "file-" + std::to_string(i),
                                                          .at = popsync.clock.reading()});
      ClockReading stored = popsync.clock.reading();
      stored.wall += std::chrono::seconds(i);
      stored.since_boot += std::chrono::seconds(i);
      transaction.record_published(row, true, stored);
    }
    transaction.commit();
    EXPECT_EQ(popsync.sync().fetched, 0U);
  }
  void outage() {
    server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
    EXPECT_FALSE(popsync.sync().error);
    server.change([](MaildropKnobs& knobs) { knobs.empty_listing = false; });
    server.clear_record();
  }
  [[nodiscard]] std::size_t in_doubt() {
    const auto rows = popsync.store().messages(popsync.store().accounts().at(0).id);
    return static_cast<std::size_t>(std::ranges::count_if(rows, [](const auto& row) { return row.doubt != state::Doubt::none; }));
  }
};

// 50,000 with POPSYNC_LONG=1.
TEST_F(Outage, OfThousandsOfMessagesAHundredAreLookedAt) {
  const std::size_t messages = random_cases(10'000, 50'000);
  store(messages);
  outage();
  EXPECT_EQ(in_doubt(), messages);
  EXPECT_EQ(popsync.sync().fetched, 0U);
  EXPECT_EQ(server.record().count("TOP"), sync::kSampleMax);
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_EQ(in_doubt(), 0U);
  EXPECT_EQ(popsync.sync().fetched, 0U);
  EXPECT_EQ(server.record().count("TOP"), sync::kSampleMax);
}

TEST_F(Outage, ASecondEmptyListingWritesNothing) {
  store(10);
  outage();
  server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
  EXPECT_FALSE(popsync.sync().error);
  EXPECT_EQ(in_doubt(), 10U);
  EXPECT_EQ(server.record().count("LIST"), 0U);  // in doubt, and not listed: nothing to do
}

TEST_F(Outage, IfOneOfTheSampleIsAnotherMessageEachIsLookedAt) {
  store(300);
  // The oldest is always in the sample; 150 others that were replaced may be or not.
  for (std::size_t i = 0; i < 300; i += 2) {
    server.remove(uid_of(i));
    server.add(message(i + 500'000), uid_of(i));
  }
  outage();
  for (int session = 0; session < 3; ++session) (void)popsync.sync();
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 150U);
  EXPECT_EQ(in_doubt(), 0U + 150U);  // the rows of those that were replaced are gone from the listing
}

// The session ends before it could conclude anything.
TEST_F(Outage, ASampleThatFailedInASessionThatBrokeSpeaksForNothing) {
  store(300);
  for (std::size_t i = 0; i < 300; ++i) {
    if (i != 0 && i < 280) continue;  // the oldest is in the first group of the sample
    server.remove(uid_of(i));
    server.add(message(i + 500'000), uid_of(i));
  }
  outage();
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .nth = 20, .close = true}}; });
  EXPECT_TRUE(popsync.sync().error);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 1U);
  const auto rows = popsync.store().messages(popsync.store().accounts().at(0).id);
  EXPECT_EQ(std::ranges::count(rows, state::Doubt::sample, &state::MessageRow::doubt), 0);
  EXPECT_EQ(std::ranges::count(rows, state::Doubt::vouched, &state::MessageRow::doubt), 0);
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  for (int session = 0; session < 3; ++session) (void)popsync.sync();
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 21U);
}

TEST_F(Outage, ASampleIsKeptOverSessionsThatBreak) {
  store(300);
  outage();
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .nth = 41, .close = true}}; });
  EXPECT_TRUE(popsync.sync().error);
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  EXPECT_FALSE(popsync.sync().error);
  // Two groups were through, nine messages of the third answered; the one that broke it is retrieved in a session apart.
  EXPECT_EQ(in_doubt(), 0U);
  EXPECT_LE(server.record().count("TOP"), 41U + sync::kSampleMax - 2 * sync::kConfirmGroup);
  EXPECT_EQ(server.record().count("RETR"), 1U);
}

// What a session may look at, and what is left for the next one.
TEST_F(Outage, ASessionConfirmsAThousandByTopAndTheNextGoesOn) {
  store(1'001);
  popsync.leave({.kind = Kind::remove, .age = {}}, "remove");
  EXPECT_EQ(popsync.sync().deleted, 1'000U);
  EXPECT_EQ(server.uids(), std::vector<std::string>{uid_of(1'000)});  // the oldest first
  EXPECT_EQ(popsync.sync().deleted, 1U);
}

TEST_F(Returned, ASessionRetrievesSoManyOctetsToConfirmAndAtLeastOneMessage) {
  popsync.confirm.octets = 5'000;
  for (int i = 0; i < 3; ++i) server.add(small_message("no Message-ID " + std::to_string(i), std::string(2'000, 'x') + "\r\n"));
  server.add(small_message("large", std::string(9'000, 'x') + "\r\n"));
  EXPECT_EQ(popsync.sync().fetched, 4U);
  popsync.leave({.kind = Kind::remove, .age = {}}, "remove");
  EXPECT_EQ(popsync.sync().deleted, 2U);
  EXPECT_EQ(popsync.sync().deleted, 1U);
  EXPECT_EQ(popsync.sync().deleted, 1U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(Returned, ASessionConfirmsForALimitedTimeAndOneGroupInAnyCase) {
  popsync.confirm.time = std::chrono::seconds(0);
  for (std::size_t i = 0; i < 40; ++i) server.add(message(i));
  EXPECT_EQ(popsync.sync().fetched, 40U);
  popsync.leave({.kind = Kind::remove, .age = {}}, "remove");
  EXPECT_EQ(popsync.sync().deleted, sync::kConfirmGroup);
  EXPECT_EQ(popsync.sync().deleted, sync::kConfirmGroup);
  EXPECT_EQ(popsync.sync().deleted, 40U - 2 * sync::kConfirmGroup);
}

}  // namespace
}  // namespace popsync::test
