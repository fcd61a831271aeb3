// SPDX-License-Identifier: MIT
// Connections that end or go wrong in the middle: what was proven is kept, nothing partial is published, the next sync completes, nothing comes
// twice, nothing is deleted that is not here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/scripted_server.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

constexpr std::size_t kMessages = 12;

struct BrokenStream : testing::Test {
  void SetUp() override {
    for (std::size_t i = 0; i < kMessages; ++i) server.add(small_message(std::to_string(i), "." + std::string(200 + i, 'x') + "\r\n"));
    all = as_stored(server.messages());
  }
  void expect_only_whole_messages() {
    for (const std::string& message : messages_in(popsync.maildir())) {
      EXPECT_TRUE(std::ranges::binary_search(all, message)) << "partial or foreign: " << message;
    }
  }
  void expect_next_sync_completes() {
    server.set_knobs({});
    const sync::SyncReport report = popsync.sync();
    EXPECT_FALSE(report.error) << report.error->what();
    EXPECT_EQ(messages_in(popsync.maildir()), all);
    EXPECT_TRUE(staged_in(popsync.maildir()).empty());
    EXPECT_EQ(popsync.sync().fetched, 0U);
  }

  MaildropServer server;
  SyncInProcess popsync{server};
  std::vector<std::string> all;
};

TEST_F(BrokenStream, ConnectionThatEndsAnywherePublishesOnlyWholeMessages) {
  std::uint64_t total = 0;
  for (const std::string& message : server.messages()) total += octets_on_wire(message).size();
  for (const bool deletes : {false, true}) {
    for (std::uint64_t octets = 0; octets < total; octets += 97) {
      SCOPED_TRACE("cut after " + std::to_string(octets) + (deletes ? ", deleting" : ""));
      MaildropServer fresh;
      for (const std::string& message : server.messages()) fresh.add(message);
      SyncInProcess one(fresh);
      if (deletes) one.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
      fresh.change([&](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = octets, .reset = octets % 2 == 1}; });
      const sync::SyncReport cut = one.sync();
      ASSERT_TRUE(cut.error);
      EXPECT_EQ(exit_status(cut.error->code()), 75);
      EXPECT_EQ(fresh.count(), kMessages) << "deleted without QUIT";
      EXPECT_EQ(fresh.record().count("QUIT"), 0U);
      const std::vector<std::string> kept = messages_in(one.maildir());
      EXPECT_TRUE(std::ranges::includes(all, kept));
      fresh.set_knobs({});
      EXPECT_FALSE(one.sync().error);
      ASSERT_EQ(messages_in(one.maildir()), all);
      EXPECT_EQ(fresh.count(), deletes ? 0U : kMessages);
    }
  }
}

TEST_F(BrokenStream, WhatAMarkerHasProvenIsKept) {
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 30, .message = 8}; });
  EXPECT_TRUE(popsync.sync().error);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 7U);
  expect_only_whole_messages();
  server.clear_record();
  expect_next_sync_completes();
  EXPECT_EQ(server.record().count("RETR"), kMessages - 7);
}

TEST_F(BrokenStream, MissingTerminationOctetIsNoMessage) {
  const std::uint64_t whole = octets_on_wire(server.messages().front()).size();
  for (const std::uint64_t missing : {1U, 2U, 3U, 5U}) {
    SyncInProcess fresh(server);
    server.change([&](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = whole - missing, .message = 1}; });
    EXPECT_TRUE(fresh.sync().error);
    EXPECT_TRUE(messages_in(fresh.maildir()).empty());
    EXPECT_TRUE(staged_in(fresh.maildir()).empty());
  }
  expect_next_sync_completes();
}

TEST_F(BrokenStream, ServerThatDoesNotStuffIsDesynchronisedAndEarlierMessagesStay) {
  server.add(small_message("evil", "before\r\n.\r\n+OK 5 octets\r\nbehind\r\n"), "evil");
  server.add(small_message("last"), "last");
  server.change([](MaildropKnobs& knobs) { knobs.unstuffed = {"evil"}; });
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code(), ErrorCode::desynchronised);
  EXPECT_EQ(exit_status(report.error->code()), 76);
  EXPECT_EQ(messages_in(popsync.maildir()), all);
  EXPECT_EQ(server.record().count("QUIT"), 0U);
  all = as_stored(server.messages());
  expect_next_sync_completes();
}

TEST_F(BrokenStream, UnstuffedMessageOneAtATimeIsNoticedToo) {
  server.add(small_message("evil", "before\r\n.\r\n+OK 5 octets\r\nbehind\r\n"), "evil");
  server.add(small_message("last"), "last");
  popsync.settings.login.pipelining = net::Pipelining::off;
  server.change([](MaildropKnobs& knobs) { knobs.unstuffed = {"evil"}; });
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code(), ErrorCode::desynchronised);
  for (const std::string& message : messages_in(popsync.maildir())) EXPECT_EQ(message.find("before"), std::string::npos);
  all = as_stored(server.messages());
  expect_next_sync_completes();
}

TEST_F(BrokenStream, OneUnstuffedMessageDoesNotBlockTheOthersForEver) {
  server.add(small_message("evil", "before\r\n.\r\n+OK 5 octets\r\nbehind\r\n"), "evil");
  server.add(small_message("last"), "last");
  server.change([](MaildropKnobs& knobs) { knobs.unstuffed = {"evil"}; });
  for (int session = 0; session < 5; ++session) popsync.sync();
  all.push_back(octets_stored(small_message("last")));
  std::ranges::sort(all);
  EXPECT_EQ(messages_in(popsync.maildir()), all);
}

TEST_F(BrokenStream, UnaskedLineBehindAReplyIsDesynchronised) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "LIST", .nth = 1, .reply = "-ERR autologout", .after_reply = true}}; });
  popsync.settings.login.pipelining = net::Pipelining::off;
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(exit_status(report.error->code()), 76);
  EXPECT_EQ(server.count(), kMessages);
  expect_next_sync_completes();
}

TEST_F(BrokenStream, LostConnectionInTheListingForgetsNothing) {
  popsync.sync();
  for (const char* verb : {"UIDL", "LIST"}) {
    server.change([&](MaildropKnobs& knobs) { knobs.faults = {{.verb = verb, .reply = "+OK", .close = true}}; });
    const sync::SyncReport report = popsync.sync();
    ASSERT_TRUE(report.error) << verb;
    EXPECT_EQ(exit_status(report.error->code()), 75) << report.error->what();
  }
  server.clear_record();
  server.set_knobs({});
  EXPECT_EQ(popsync.sync().fetched, 0U);
  EXPECT_EQ(server.record().count("RETR"), 0U);
}

TEST_F(BrokenStream, GreetingOfAnotherProtocolIsNotPop3) {
  for (const char* greeting : {"* OK IMAP4rev1 ready", "220 smtp.example.org ESMTP", "HTTP/1.1 400 Bad Request", "", "SSH-2.0-OpenSSH_9"}) {
    server.change([&](MaildropKnobs& knobs) { knobs.greeting = greeting; });
    const sync::SyncReport report = popsync.sync();
    ASSERT_TRUE(report.error) << greeting;
    EXPECT_EQ(exit_status(report.error->code()), 76) << greeting << ": " << report.error->what();
  }
}

TEST_F(BrokenStream, CloseBeforeTheGreetingIsTemporary) {
  server.change([](MaildropKnobs& knobs) { knobs.reset_on_connect = true; });
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(exit_status(report.error->code()), 75);
}

TEST_F(BrokenStream, ReplyWithoutEndIsRefusedNotCollected) {
  const ScriptedServer endless(
      "S- +OK \n"
      "repeat 200\n"
      "S- aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
      "silence\n");
  popsync.settings.endpoint.port = endless.port();
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(exit_status(report.error->code()), 76) << report.error->what();
}

}  // namespace
}  // namespace popsync::test
