// SPDX-License-Identifier: MIT
// What happens on the server to messages that are here: kept, deleted, deleted by age; and servers that do not do what they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

using std::chrono::hours;
using Kind = sync::LeavePolicy::Kind;

struct LeaveOnServer : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 6; ++i) server.add(small_message("message " + std::to_string(i)));
    all = as_stored(server.messages());
  }
  void keep() { popsync.leave({.kind = Kind::keep, .age = {}}, "keep"); }
  void remove() { popsync.leave({.kind = Kind::remove, .age = {}}, "remove"); }
  void remove_after(std::chrono::seconds age) { popsync.leave({.kind = Kind::remove_after, .age = age}, "after"); }
  void knob(const std::function<void(MaildropKnobs&)>& edit) { server.change(edit); }
  void expect_nothing_lost_or_doubled() { EXPECT_EQ(messages_in(popsync.maildir()), all); }

  MaildropServer server;
  SyncInProcess popsync{server};
  std::vector<std::string> all;
};

TEST_F(LeaveOnServer, TrueDeletesNothing) {
  EXPECT_EQ(popsync.sync().deleted, 0U);
  EXPECT_EQ(popsync.sync().deleted, 0U);
  EXPECT_EQ(server.record().count("DELE"), 0U);
  EXPECT_EQ(server.count(), 6U);
}

TEST_F(LeaveOnServer, FalseDeletesInTheSessionThatStored) {
  remove();
  const sync::SyncReport report = popsync.sync();
  EXPECT_EQ(report.fetched, 6U);
  EXPECT_EQ(report.deleted, 6U);
  EXPECT_EQ(server.count(), 0U);
  expect_nothing_lost_or_doubled();
}

TEST_F(LeaveOnServer, ChangedToFalseAlsoDeletesWhatWasStoredBefore) {
  popsync.sync();
  remove();
  EXPECT_EQ(popsync.sync().deleted, 6U);
  EXPECT_EQ(server.record().count("RETR"), 12U);  // they have no Message-ID, so each was seen once more before its DELE
  expect_nothing_lost_or_doubled();
}

TEST_F(LeaveOnServer, AnAgeDeletesWhenItHasPassedSinceWeStoredTheMessage) {
  remove_after(hours(24 * 14));
  popsync.sync();
  popsync.clock.advance(hours(24 * 14) - std::chrono::seconds(5));
  EXPECT_EQ(popsync.sync().deleted, 0U);
  popsync.clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(popsync.sync().deleted, 6U);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(LeaveOnServer, WhatAnotherClientRemovedIsNotMissed) {
  remove_after(hours(24));
  popsync.sync();
  server.remove(server.uids().front());
  popsync.clock.advance(hours(48));
  const sync::SyncReport report = popsync.sync();
  EXPECT_FALSE(report.error);
  EXPECT_EQ(report.deleted, 5U);
  expect_nothing_lost_or_doubled();
}

// protocol.md 72
TEST_F(LeaveOnServer, AFirstMessageThatIsTheServersOwnIsNeitherFetchedNorDeleted) {
  for (const auto& uid : server.uids()) server.remove(uid);
  server.add(small_message("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"));
  server.add(small_message("mail"));
  popsync.settings.skip_first_message = true;
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  const sync::SyncReport report = popsync.sync();
  EXPECT_FALSE(report.error) << report.error->what();
  EXPECT_EQ(report.fetched, 1U);
  EXPECT_EQ(server.count(), 1U);
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored({small_message("mail")}));
}

// protocol.md 93
TEST_F(LeaveOnServer, RsetTakesBackWhatTheServerMarksByItself) {
  popsync.settings.rset_before_quit = true;
  popsync.sync();
  const MaildropRecord record = server.record();
  ASSERT_EQ(record.count("RSET"), 1U);
  const std::vector<std::string> lines = record.lines(1);
  EXPECT_EQ(lines[lines.size() - 2], "RSET");
  EXPECT_EQ(lines.back(), "QUIT");
}

TEST_F(LeaveOnServer, RsetComesBeforeOurOwnDeletions) {
  popsync.settings.rset_before_quit = true;
  remove();
  popsync.sync();
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(LeaveOnServer, WithoutUniqueIdsKeepingIsRefusedAndFetchAndDeleteWorks) {
  knob([](MaildropKnobs& knobs) { knobs.uidl = false; });
  const sync::SyncReport refused = popsync.sync();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(exit_status(refused.error->code()), 69);
  EXPECT_EQ(server.record().count("RETR"), 0U);
  remove();
  EXPECT_EQ(popsync.sync().fetched, 6U);
  EXPECT_EQ(server.count(), 0U);
  expect_nothing_lost_or_doubled();
}

TEST_F(LeaveOnServer, WithoutUniqueIdsALostQuitDoublesNothing) {
  remove();
  knob([](MaildropKnobs& knobs) {
    knobs.uidl = false;
    knobs.quit = QuitBehaviour::drop_before_commit;
  });
  popsync.sync();
  EXPECT_EQ(server.count(), 6U);
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  const sync::SyncReport report = popsync.sync();
  EXPECT_FALSE(report.error);
  EXPECT_EQ(server.count(), 0U);
  expect_nothing_lost_or_doubled();
}

// protocol.md 102
TEST_F(LeaveOnServer, DeleteThatDoesNotLastIsTriedThreeTimesAndThenLeft) {
  remove();
  knob([](MaildropKnobs& knobs) { knobs.dele_ignored = true; });
  for (int session = 0; session < 6; ++session) EXPECT_FALSE(popsync.sync().error);
  EXPECT_EQ(server.record().count("DELE"), 18U);
  server.clear_record();
  popsync.sync();
  EXPECT_EQ(server.record().count("DELE"), 0U);
  EXPECT_EQ(server.record().count("RETR"), 0U) << "given up, and still retrieved in every session";
  expect_nothing_lost_or_doubled();
}

TEST_F(LeaveOnServer, DeleRefusedOnceIsDoneLater) {
  remove();
  knob([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "DELE", .message = 3, .reply = "-ERR busy"}}; });
  const sync::SyncReport first = popsync.sync();
  EXPECT_FALSE(first.error);
  EXPECT_EQ(first.deleted, 5U);
  EXPECT_EQ(server.count(), 1U);
  knob([](MaildropKnobs& knobs) { knobs.faults = {}; });
  EXPECT_EQ(popsync.sync().deleted, 1U);
  EXPECT_EQ(server.count(), 0U);
  expect_nothing_lost_or_doubled();
}

struct QuitCase {
  std::string name;
  QuitBehaviour quit;
  bool removes;
};
void PrintTo(const QuitCase& tested, std::ostream* out) { *out << tested.name; }

struct LeaveOnServerQuit : LeaveOnServer, testing::WithParamInterface<QuitCase> {};

// protocol.md 104-107
TEST_P(LeaveOnServerQuit, LosesAndDoublesNothing) {
  remove();
  knob([](MaildropKnobs& knobs) { knobs.quit = GetParam().quit; });
  popsync.sync();
  expect_nothing_lost_or_doubled();
  EXPECT_EQ(server.count(), GetParam().removes ? 0U : 6U);
  server.add(small_message("next"));
  all = as_stored([&] {
    auto messages = server.messages();
    if (GetParam().removes) {
      for (int i = 0; i < 6; ++i) messages.push_back(small_message("message " + std::to_string(i)));
    }
    return messages;
  }());
  knob([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  EXPECT_FALSE(popsync.sync().error);
  expect_nothing_lost_or_doubled();
  EXPECT_EQ(server.count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Quits, LeaveOnServerQuit,
                         testing::Values(QuitCase{"DropBeforeCommit", QuitBehaviour::drop_before_commit, false},
                                         QuitCase{"DropAfterCommit", QuitBehaviour::drop_after_commit, true},
                                         QuitCase{"ErrorBeforeCommit", QuitBehaviour::error_before_commit, false},
                                         QuitCase{"ErrorAfterCommit", QuitBehaviour::error_after_commit, true},
                                         QuitCase{"OkWithoutCommit", QuitBehaviour::ok_without_commit, false}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
