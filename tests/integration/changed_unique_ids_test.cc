// SPDX-License-Identifier: MIT
// A server that gives all its messages new unique-ids: a migration, a mailbox made anew, another format (durability: "UIDL is not a key").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "state/transaction.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"
#include "sync/rekeying.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

struct ChangedUniqueIds : testing::Test {
  void put(std::size_t count) {
    for (const std::string& message : realistic_messages(count, ++seed_)) server.add(message);
  }
  sync::SyncReport sync() {
    sync::SyncReport report = popsync.sync();
    EXPECT_FALSE(report.error) << report.error->what();
    return report;
  }
  Error refused() {
    const sync::SyncReport report = popsync.sync();
    EXPECT_TRUE(report.error.has_value());
    return report.error.value_or(Error(ErrorCode::bug, "no error"));
  }
  [[nodiscard]] std::vector<std::string> stored() const { return messages_in(popsync.maildir()); }
  void expect_all_once() const { EXPECT_TRUE(stored() == as_stored(server.messages())); }
  std::size_t commands(const std::string& verb) { return server.record().count(verb); }
  state::AccountRow account() { return popsync.store().accounts().front(); }
  std::vector<state::MessageRow> rows() { return popsync.store().messages(account().id); }

  MaildropServer server;
  SyncInProcess popsync{server};

 private:
  std::uint64_t seed_ = 0;
};

// protocol.md 63
TEST_F(ChangedUniqueIds, MessagesAreRecognisedByTheirHeadersAndNotFetchedAgain) {
  put(60);
  EXPECT_EQ(sync().fetched, 60U);
  server.rekey();
  server.clear_record();
  const sync::SyncReport report = sync();
  EXPECT_EQ(report.fetched, 0U);
  EXPECT_EQ(report.skipped, 60U);
  EXPECT_EQ(commands("TOP"), 60U);
  EXPECT_EQ(commands("RETR"), 0U);
  expect_all_once();
  server.clear_record();
  EXPECT_EQ(sync().skipped, 60U);
  EXPECT_EQ(commands("TOP") + commands("RETR"), 0U);
}

TEST_F(ChangedUniqueIds, NewMailAmongThemIsFetched) {
  put(30);
  sync();
  server.rekey();
  put(4);
  EXPECT_EQ(sync().fetched, 4U);
  expect_all_once();
  EXPECT_EQ(sync().fetched, 0U);
}

TEST_F(ChangedUniqueIds, HeadersAreAskedForAheadOfTheirAnswers) {
  put(60);
  sync();
  server.rekey();
  server.clear_record();
  sync();
  EXPECT_GT(server.record().sent_ahead, 60U);
}

TEST_F(ChangedUniqueIds, WithoutPipeliningTheyAreRecognisedToo) {
  server.change([](MaildropKnobs& knobs) { knobs.pipelining = false; });
  put(40);
  sync();
  server.rekey();
  server.clear_record();
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(server.record().sent_ahead, 0U);
}

TEST_F(ChangedUniqueIds, AMaildropOfOtherMessagesCostsTenHeadersAndIsFetched) {
  put(20);
  sync();
  for (const std::string& uid : server.uids()) server.remove(uid);
  put(15);
  server.clear_record();
  EXPECT_EQ(sync().fetched, 15U);
  EXPECT_EQ(commands("TOP"), sync::kProbes);
  EXPECT_EQ(stored().size(), 35U);
  server.clear_record();
  put(3);
  sync();
  EXPECT_EQ(commands("TOP"), 0U);  // what vanished then has not vanished now
}

TEST_F(ChangedUniqueIds, EqualMessagesAreMatchedOneToOne) {
  for (int i = 0; i < 4; ++i) server.add(small_message("the same"));
  put(6);
  sync();
  server.rekey();
  server.add(small_message("the same"));
  EXPECT_EQ(sync().fetched, 1U);
  expect_all_once();
  EXPECT_EQ(sync().fetched, 0U);
}

TEST_F(ChangedUniqueIds, MessagesWithoutMessageIdAreRecognisedBySizeToo) {
  for (int i = 0; i < 6; ++i) server.add("From: cron@example.org\r\nSubject: same\r\n\r\n" + std::string(static_cast<std::size_t>(i), 'x') + "\r\n");
  server.add("\r\nno header at all\r\n");
  sync();
  server.rekey();
  EXPECT_EQ(sync().fetched, 0U);
  expect_all_once();
}

TEST_F(ChangedUniqueIds, AgeIsKeptAndWhatIsDueIsDeletedUnderItsNewName) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove_after, .age = std::chrono::days(14)}, "14d");
  put(12);
  sync();
  popsync.clock.advance(std::chrono::days(10));
  server.rekey();
  sync();
  EXPECT_EQ(server.count(), 12U);
  popsync.clock.advance(std::chrono::days(5));
  EXPECT_EQ(sync().deleted, 12U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(stored().size(), 12U);
}

TEST_F(ChangedUniqueIds, WhatChangedItsSizeTooIsKnownButNeverDeleted) {
  for (int i = 0; i < 12; ++i) {
    server.add("Message-ID: <" + std::to_string(i) + "@example.org>\r\nSubject: x\r\n\r\n" + std::string(static_cast<std::size_t>(i), 'x') + "\r\n");
  }
  sync();
  server.rekey();
  server.change([](MaildropKnobs& knobs) { knobs.list_size = [](std::uint64_t size) { return std::to_string(size + 7); }; });
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  const sync::SyncReport report = sync();
  EXPECT_EQ(report.fetched, 0U);
  EXPECT_EQ(report.deleted, 0U);
  EXPECT_EQ(server.count(), 12U);
  expect_all_once();
  EXPECT_EQ(sync().fetched, 0U);
}

TEST_F(ChangedUniqueIds, MailThatWasToBeDeletedIsRecognisedAfterALostSession) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  put(10);
  const std::vector<std::string> messages = server.messages();
  // The DELE of a message may have been carried out; one without Message-ID that looks the same may then be a second copy, and comes.
  std::vector<std::string> expected = messages;
  std::ranges::copy_if(messages, std::back_inserter(expected), [](const std::string& each) { return each.find("Message-ID:") == std::string::npos; });
  const auto all = as_stored(expected);
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_before_commit; });
  sync();
  server.rekey();
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  const sync::SyncReport report = sync();
  EXPECT_EQ(report.fetched, expected.size() - messages.size());
  EXPECT_LT(report.fetched, 10U);
  EXPECT_EQ(report.deleted, 10U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_TRUE(stored() == all);
}

// Found by the model (seed 2237): the server obeyed and said nothing, the policy was changed, and then mail came that nothing tells from the old.
TEST_F(ChangedUniqueIds, SecondCopiesOfWhatWasDeletedAreFetchedWhateverThePolicySaysNow) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  for (int i = 0; i < 5; ++i) server.add(small_message("message " + std::to_string(i), std::string(static_cast<std::size_t>(i) + 1, 'x') + "\r\n"));
  const std::vector<std::string> messages = server.messages();
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_after_commit; });
  sync();
  EXPECT_EQ(server.count(), 0U);
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  for (const std::string& message : messages) server.add(message);
  popsync.leave({.kind = sync::LeavePolicy::Kind::keep, .age = {}}, "keep");
  EXPECT_EQ(sync().fetched, 5U);
  EXPECT_EQ(stored().size(), 10U);
}

TEST_F(ChangedUniqueIds, ASessionThatBreaksAmongTheHeadersChangesNothing) {
  put(40);
  sync();
  const auto before = rows();
  server.rekey();
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .nth = 25, .close = true}}; });
  EXPECT_EQ(refused().code(), ErrorCode::network);
  const auto after = rows();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].uid, before[i].uid);
    EXPECT_FALSE(after[i].absent_since);
  }
  server.change([](MaildropKnobs& knobs) { knobs.faults.clear(); });
  EXPECT_EQ(sync().fetched, 0U);
  expect_all_once();
}

TEST_F(ChangedUniqueIds, ASessionThatBreaksWhileItFetchesTheRestKeepsWhatItRecognised) {
  put(20);
  sync();
  server.rekey();
  put(3);
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .nth = 2, .close = true}}; });
  (void)refused();
  server.change([](MaildropKnobs& knobs) { knobs.faults.clear(); });
  server.clear_record();
  sync();
  EXPECT_EQ(commands("TOP"), 0U);
  expect_all_once();
}

TEST_F(ChangedUniqueIds, TwoMigrationsInARowAreFollowed) {
  put(15);
  sync();
  for (int i = 0; i < 2; ++i) {
    server.rekey();
    EXPECT_EQ(sync().fetched, 0U);
  }
  expect_all_once();
}

TEST_F(ChangedUniqueIds, UniqueIdsThatNeverLastAreToldAndNothingIsDoubled) {
  put(15);
  sync();
  for (std::uint32_t i = 1; i < sync::kRekeyingsMax; ++i) {
    server.rekey();
    sync();
  }
  put(1);
  for (int i = 0; i < 3; ++i) {
    server.rekey();
    const Error error = refused();
    EXPECT_EQ(error.code(), ErrorCode::server_permanent);
    EXPECT_THAT(error.hint(), HasSubstr("leave_on_server = false"));
    expect_all_once();  // new mail came all the same
  }
  EXPECT_EQ(sync().fetched, 0U);  // they last now
  server.rekey();
  EXPECT_EQ(sync().fetched, 0U);
}

TEST_F(ChangedUniqueIds, AMaildropThatIsMovedPieceByPieceIsFollowed) {
  put(30);
  sync();
  const auto all = server.messages();
  for (const std::string& uid : server.uids()) server.remove(uid);
  std::size_t moved = 0;
  for (const std::size_t until : {5U, 9U, 20U, 30U}) {
    for (; moved < until; ++moved) server.add(all[moved]);
    EXPECT_EQ(sync().fetched, 0U) << until;
  }
  EXPECT_TRUE(stored() == as_stored(all));
}

TEST_F(ChangedUniqueIds, NumbersThatMoveToOtherMessagesFollowThem) {
  const auto messages = realistic_messages(20, 77);
  for (std::size_t i = 0; i < messages.size(); ++i) server.add(messages[i], std::to_string(i + 1));
  sync();
  for (const std::string& uid : server.uids()) server.remove(uid);
  for (std::size_t i = 1; i < messages.size(); ++i) server.add(messages[i], std::to_string(i));
  EXPECT_EQ(sync().fetched, 0U);
  EXPECT_EQ(stored().size(), 20U);
  EXPECT_EQ(sync().fetched, 0U);
}

// ---- servers that give no headers

struct WithoutTop : ChangedUniqueIds {
  WithoutTop() {
    server.change([](MaildropKnobs& knobs) { knobs.top = false; });
    put(12);
    sync();
  }
};

// protocol.md 97
TEST_F(WithoutTop, EqualSizesHoldTheAccountAndSayWhatToDo) {
  server.rekey();
  server.clear_record();
  const Error error = refused();
  EXPECT_EQ(error.code(), ErrorCode::server_permanent);
  EXPECT_THAT(error.hint(), HasSubstr("popsync seed home"));
  EXPECT_THAT(error.hint(), HasSubstr("popsync refetch home --all"));
  EXPECT_EQ(commands("RETR") + commands("DELE") + commands("QUIT"), 0U);
  EXPECT_EQ(stored().size(), 12U);
  (void)refused();  // it stays so
}

TEST_F(WithoutTop, OtherSizesAreNewMail) {
  for (const std::string& uid : server.uids()) server.remove(uid);
  put(12);
  EXPECT_EQ(sync().fetched, 12U);
}

TEST_F(WithoutTop, AHeldAccountGoesOnWhenTheOldUniqueIdsAreBack) {
  const auto uids = server.uids();
  const auto messages = server.messages();
  const auto fresh = server.rekey();
  (void)refused();
  for (const std::string& uid : fresh) server.remove(uid);
  for (std::size_t i = 0; i < uids.size(); ++i) server.add(messages[i], uids[i]);
  EXPECT_EQ(sync().fetched, 0U);
  expect_all_once();
}

TEST_F(WithoutTop, WhatOurOwnQuitMayHaveDeletedIsNoMigration) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_after_commit; });
  sync();
  EXPECT_EQ(server.count(), 0U);
  const auto before = stored();
  for (const std::string& message : realistic_messages(12, 1)) server.add(message);  // equal sizes to the last octet
  EXPECT_EQ(sync().fetched, 12U);
}

TEST_F(ChangedUniqueIds, SeededMessagesHoldTheAccountBecauseNothingTellsThemFromNewOnes) {
  put(10);
  sync();
  {
    const state::AccountRow row = account();
    const auto stored = rows();  // read before: a transaction keeps readers out
    auto transaction = popsync.store().begin();
    for (const state::MessageRow& each : stored) {
      transaction.erase_message(each.id);
      transaction.insert_known(
          {.account = row.id, .state = state::RowState::seen, .uid = each.uid, .list_size = each.list_size, .reason = "", .tries = 0, .at = {}});
    }
    transaction.commit();
  }
  server.rekey();
  server.clear_record();
  EXPECT_EQ(refused().code(), ErrorCode::server_permanent);
  EXPECT_EQ(commands("TOP"), 0U);
}

// protocol.md 95
TEST_F(ChangedUniqueIds, AHeaderThatIsCutShortIsNoHeader) {
  put(12);
  sync();
  server.rekey();
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .reply = "+OK\r\nSubject: cut\r\n."}}; });
  EXPECT_EQ(refused().code(), ErrorCode::server_permanent);
  EXPECT_EQ(stored().size(), 12U);
}

// protocol.md 96
TEST_F(ChangedUniqueIds, AServerThatFallsOutOfStepAtTopIsNotAskedAgain) {
  put(12);
  sync();
  server.rekey();
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .reply = "+OK\r\nSubject: x\r\n\r\n.\r\n+OK"}}; });
  EXPECT_EQ(refused().code(), ErrorCode::desynchronised);
  server.clear_record();
  EXPECT_EQ(refused().code(), ErrorCode::server_permanent);  // as a server without TOP
  EXPECT_EQ(commands("TOP"), 0U);
}

TEST_F(ChangedUniqueIds, ADryRunTellsWhatASyncWouldDoAndChangesNothing) {
  put(12);
  sync();
  server.rekey();
  put(2);
  EXPECT_EQ(popsync.plan().plan.fetch.size(), 2U);
  EXPECT_EQ(sync().fetched, 2U);
}

}  // namespace
}  // namespace popsync::test
