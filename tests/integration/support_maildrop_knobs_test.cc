// SPDX-License-Identifier: MIT
// The true POP3 server of the tests, misbehaving as its knobs say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/raw_client.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;

// A server with three messages uid1 to uid3.
struct MaildropKnobsTest : testing::Test {
  void SetUp() override {
    for (int i = 1; i <= 3; ++i) server.add(message);
  }
  void set(const MaildropKnobs& knobs) { server.set_knobs(knobs); }

  const std::string message = "Subject: x\r\n\r\n.one\r\ntwo\r\n";
  MaildropServer server;
};

TEST_F(MaildropKnobsTest, SilentServerAcceptsAndSaysNothing) {
  set({.silent = true});
  RawClient client(server.port());
  client.send("CAPA\r\n");
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 1; }));
  server.disconnect_all();
  EXPECT_EQ(client.rest(), "");
}

TEST_F(MaildropKnobsTest, ConnectionIsReset) {
  set({.reset_on_connect = true});
  RawClient client(server.port());
  EXPECT_EQ(client.rest(), "");
}

TEST_F(MaildropKnobsTest, GreetingIsReplaced) {
  set({.greeting = "* OK Gimap ready"});
  EXPECT_EQ(RawClient(server.port()).line(), "* OK Gimap ready");
}

TEST_F(MaildropKnobsTest, CapabilitiesAreOverridden) {
  set({.capabilities = {{"USER"}}, .capabilities_after_login = {{"UIDL", "X"}}});
  RawClient client(server.port());
  client.line();
  client.ask("CAPA");
  EXPECT_THAT(client.list(), ElementsAre("USER"));
  client.ask("USER alice");
  client.ask("PASS open-sesame");
  client.ask("CAPA");
  EXPECT_THAT(client.list(), ElementsAre("UIDL", "X"));
  set({.capa = false});
  EXPECT_THAT(client.ask("CAPA"), StartsWith("-ERR"));
}

TEST_F(MaildropKnobsTest, MissingCapabilitiesAreNeitherListedNorDone) {
  set({.uidl = false, .top = false, .pipelining = false, .login_delay = "300", .expire = "31 USER"});
  const auto client = logged_in(server.port());
  client->ask("CAPA");
  const std::vector<std::string> list = client->list();
  for (const char* absent : {"UIDL", "TOP", "PIPELINING"}) EXPECT_THAT(list, Not(Contains(absent)));
  EXPECT_THAT(list, Contains("LOGIN-DELAY 300"));
  EXPECT_THAT(list, Contains("EXPIRE 31 USER"));
  EXPECT_THAT(client->ask("UIDL"), StartsWith("-ERR"));
  EXPECT_THAT(client->ask("TOP 1 0"), StartsWith("-ERR"));
}

TEST_F(MaildropKnobsTest, RefusedPasswordHasTheTextGiven) {
  set({.faults = {{.verb = "PASS", .reply = "-ERR [SYS/TEMP] later"}}});
  RawClient client(server.port());
  client.line();
  client.ask("USER alice");
  EXPECT_EQ(client.ask("PASS open-sesame"), "-ERR [SYS/TEMP] later");
}

TEST_F(MaildropKnobsTest, RetrOfOneMessageIsRefusedByNumberOrUniqueId) {
  set({.faults = {{.verb = "RETR", .message = 2, .reply = "-ERR broken"}, {.verb = "RETR", .message = "uid3", .reply = "-ERR virus"}}});
  const auto client = logged_in(server.port());
  EXPECT_THAT(client->ask("RETR 1"), StartsWith("+OK"));
  client->content();
  EXPECT_EQ(client->ask("RETR 2"), "-ERR broken");
  EXPECT_EQ(client->ask("RETR 3"), "-ERR virus");
  EXPECT_THAT(client->ask("DELE 3"), StartsWith("+OK"));
}

TEST_F(MaildropKnobsTest, NthCommandIsRefusedAndNthRetrCuts) {
  set({.faults = {{.nth = 4, .reply = "-ERR fourth"}, {.verb = "RETR", .nth = 2, .close = true}}});
  const auto client = logged_in(server.port());  // two commands
  EXPECT_THAT(client->ask("STAT"), StartsWith("+OK"));
  EXPECT_EQ(client->ask("STAT"), "-ERR fourth");
  client->ask("RETR 1");
  client->content();
  client->send("RETR 1\r\n");
  EXPECT_EQ(client->rest(), "");
}

TEST_F(MaildropKnobsTest, UnsolicitedLineFollowsAReply) {
  set({.faults = {{.verb = "NOOP", .reply = "-ERR autologout", .after_reply = true, .close = true}}});
  const auto client = logged_in(server.port());
  client->send("NOOP\r\n");
  EXPECT_EQ(client->rest(), "+OK\r\n-ERR autologout\r\n");
}

TEST_F(MaildropKnobsTest, CutCountsContentOverTheSession) {
  const std::string wire = octets_on_wire(message);
  for (std::size_t octets = 0; octets <= 2 * wire.size(); ++octets) {
    SCOPED_TRACE(octets);
    set({.cut = Cut{.octets = octets, .reset = octets % 2 == 1}});
    const auto client = logged_in(server.port());
    client->send("RETR 1\r\nRETR 2\r\nRETR 3\r\n");
    std::string got = client->rest();
    for (std::size_t at = got.find("+OK"); at != std::string::npos; at = got.find("+OK", at)) got.erase(at, got.find('\n', at) + 1 - at);
    if (octets % 2 == 0) {
      EXPECT_EQ(got, (wire + wire).substr(0, octets));
    } else {
      EXPECT_TRUE((wire + wire).starts_with(got));
    }
  }
  EXPECT_EQ(server.count(), 3U);
}

TEST_F(MaildropKnobsTest, CutInOneMessageLeavesTheOthers) {
  set({.cut = Cut{.octets = 5, .message = 2}});
  const auto client = logged_in(server.port());
  client->ask("RETR 3");
  client->content();
  client->ask("RETR 2");
  EXPECT_EQ(client->rest(), message.substr(0, 5));
}

TEST_F(MaildropKnobsTest, MessageStallsUntilReleased) {
  set({.stall = Stall{.message = 2, .octets = 7}});
  const auto client = logged_in(server.port());
  client->send("RETR 2\r\n");
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  EXPECT_EQ(server.record().retrievals("uid2"), 0U);
  server.release_stalled();
  client->line();
  EXPECT_EQ(client->content(), octets_on_wire(message));
}

TEST_F(MaildropKnobsTest, StalledSessionWhoseClientIsGoneFreesTheLock) {
  set({.stall = Stall{.message = 2}});
  const auto client = logged_in(server.port());
  client->send("RETR 2\r\n");
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  client->close();
  EXPECT_THAT(logged_in(server.port())->ask("STAT"), StartsWith("+OK 3"));
}

TEST_F(MaildropKnobsTest, DisconnectAllWakesAStalledSession) {
  set({.stall = Stall{.message = 2}});
  const auto client = logged_in(server.port());
  client->send("RETR 2\r\n");
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  server.disconnect_all();
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
}

TEST_F(MaildropKnobsTest, UnstuffedMessageIsSentAsItIs) {
  set({.unstuffed = {2}});
  const auto client = logged_in(server.port());
  client->ask("RETR 2");
  EXPECT_EQ(client->content(), message + ".\r\n");
  client->ask("RETR 1");
  EXPECT_EQ(client->content(), octets_on_wire(message));
}

TEST_F(MaildropKnobsTest, ListingsAreWrongAsGiven) {
  set({.stat_reply = "+OK seven",
       .list_size = [](std::uint64_t size) { return std::to_string(-static_cast<int>(size)); },
       .list_lines = {{2, "2 1024"}},
       .uidl_lines = {{1, ""}, {2, "2"}}});
  const auto client = logged_in(server.port());
  EXPECT_EQ(client->ask("STAT"), "+OK seven");
  client->ask("LIST");
  EXPECT_THAT(client->list(), ElementsAre("1 -" + std::to_string(message.size()), "2 1024", "3 -" + std::to_string(message.size())));
  client->ask("UIDL");
  EXPECT_THAT(client->list(), ElementsAre("2", "3 uid3"));
  EXPECT_EQ(client->ask("UIDL 2"), "+OK 2");
}

TEST_F(MaildropKnobsTest, EmptyListingHidesEverythingForASession) {
  set({.empty_listing = true});
  EXPECT_EQ(logged_in(server.port())->ask("STAT"), "+OK 0 0");
  set({});
  EXPECT_THAT(logged_in(server.port())->ask("STAT"), StartsWith("+OK 3 "));
}

TEST_F(MaildropKnobsTest, RepeatedUniqueIdsAreListedAsGiven) {
  server.add(message, "uid1");
  const auto client = logged_in(server.port());
  client->ask("UIDL");
  EXPECT_THAT(client->list(), ElementsAre("1 uid1", "2 uid2", "3 uid3", "4 uid1"));
}

TEST_F(MaildropKnobsTest, RetrQuotaRefusesFurtherMessages) {
  set({.retr_max = 1});
  const auto client = logged_in(server.port());
  client->ask("RETR 1");
  client->content();
  EXPECT_THAT(client->ask("RETR 2"), StartsWith("-ERR"));
}

TEST_F(MaildropKnobsTest, IgnoredDeleRemovesNothing) {
  set({.dele_ignored = true});
  const auto client = logged_in(server.port());
  EXPECT_THAT(client->ask("DELE 1"), StartsWith("+OK"));
  EXPECT_THAT(client->ask("QUIT"), StartsWith("+OK"));
  EXPECT_EQ(server.count(), 3U);
}

TEST_F(MaildropKnobsTest, RetrievedMessagesAreHiddenAfterQuitAlone) {
  set({.hide_retrieved = true});
  {
    const auto client = logged_in(server.port());
    client->ask("RETR 1");
    client->content();
  }
  const auto client = logged_in(server.port());
  EXPECT_THAT(client->ask("STAT"), StartsWith("+OK 3 ")) << "the first session ended without QUIT";
  client->ask("RETR 1");
  client->content();
  client->ask("QUIT");
  const auto next = logged_in(server.port());
  next->ask("UIDL");
  EXPECT_THAT(next->list(), ElementsAre("1 uid2", "2 uid3"));
  EXPECT_EQ(server.count(), 3U);
  next->ask("QUIT");
  server.unhide();
  EXPECT_THAT(logged_in(server.port())->ask("STAT"), StartsWith("+OK 3 "));
}

struct QuitCase {
  QuitBehaviour behaviour;
  std::string reply_begins;  // empty: the connection ends without a reply
  std::size_t left;
};

TEST_F(MaildropKnobsTest, QuitCommitsAndAnswersAsTold) {
  const QuitCase cases[] = {
      {QuitBehaviour::drop_before_commit, "", 3},     {QuitBehaviour::error_before_commit, "-ERR", 3}, {QuitBehaviour::ok_without_commit, "+OK", 3},
      {QuitBehaviour::error_after_commit, "-ERR", 2}, {QuitBehaviour::drop_after_commit, "", 1},       {QuitBehaviour::normal, "+OK", 0},
  };
  for (const QuitCase& c : cases) {
    SCOPED_TRACE(static_cast<int>(c.behaviour));
    set({.quit = c.behaviour});
    const auto client = logged_in(server.port());
    client->ask("DELE 1");
    client->send("QUIT\r\n");
    const std::string reply = client->rest();
    EXPECT_THAT(reply, StartsWith(c.reply_begins));
    EXPECT_EQ(reply.empty(), c.reply_begins.empty());
    EXPECT_EQ(server.count(), c.left);
  }
}

TEST_F(MaildropKnobsTest, UnansweredQuitHasCommitted) {
  set({.quit = QuitBehaviour::no_answer});
  const auto client = logged_in(server.port());
  client->ask("DELE 1");
  client->send("QUIT\r\n");
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.quits == 1; }));
  EXPECT_EQ(server.record().open_sessions, 1U);
  EXPECT_EQ(server.count(), 2U);
}

TEST_F(MaildropKnobsTest, KnobsChangeWithinASession) {
  const auto client = logged_in(server.port());
  EXPECT_THAT(client->ask("NOOP"), StartsWith("+OK"));
  server.change([](MaildropKnobs& knobs) { knobs.faults.push_back({.verb = "NOOP", .reply = "-ERR now"}); });
  EXPECT_EQ(client->ask("NOOP"), "-ERR now");
}

TEST_F(MaildropKnobsTest, LatencyHoldsNothingBack) {
  set({.latency = std::chrono::milliseconds(1)});
  const auto client = logged_in(server.port());
  client->send("STAT\r\nNOOP\r\n");
  EXPECT_THAT(client->line(), StartsWith("+OK 3"));
  EXPECT_EQ(client->line(), "+OK");
}

TEST(MaildropTlsKnobs, StlsIsRefusedOrFollowedByInjectedOctets) {
  const TempFolder folder;
  const CertificateFiles certificate = CertificateAuthority(folder.path()).issue();
  MaildropServer server({.tls = ServerTls::stls, .certificate = certificate}, {.stls = false, .clear_login = false});
  RawClient client(server.port());
  client.line();
  EXPECT_THAT(client.ask("STLS"), StartsWith("-ERR"));
  EXPECT_THAT(client.ask("USER alice"), StartsWith("-ERR"));
  server.set_knobs({.after_stls = "+OK injected\r\n", .stall_handshake = true});
  EXPECT_THAT(client.ask("STLS"), StartsWith("+OK"));
  EXPECT_EQ(client.line(), "+OK injected");
}

TEST(MaildropTlsKnobs, OldTlsIsNotWhatAModernClientTakes) {
  const TempFolder folder;
  const CertificateFiles certificate = CertificateAuthority(folder.path()).issue();
  const MaildropServer server({.tls = ServerTls::implicit, .certificate = certificate, .old_tls_only = true});
  RawClient client(server.port());
  EXPECT_THROW(client.start_tls(certificate.ca_file), std::runtime_error);
}

}  // namespace
}  // namespace popsync::test
