// SPDX-License-Identifier: MIT
#include "support/dovecot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_corpus.h"
#include "support/raw_client.h"
#include "support/skip.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

using testing::StartsWith;

struct PrivateDovecotTest : testing::Test {
  void SetUp() override { POPSYNC_REQUIRE(PrivateDovecot::available(), "dovecot-pop3d is not installed"); }
  const TempFolder folder{"dovecot"};
};

TEST_F(PrivateDovecotTest, ServesWhatWasAddedAndRemovesWhatWasDeleted) {
  PrivateDovecot dovecot(folder.path(), {.users = {"alice", "bob"}});
  dovecot.add_message("alice", "Subject: one\n\n.dot\n");
  dovecot.add_message("alice", "Subject: two\n\n");
  dovecot.start();
  const auto client = logged_in(dovecot.port());
  EXPECT_THAT(client->ask("STAT"), StartsWith("+OK 2 "));
  client->ask("RETR 1");
  EXPECT_EQ(client->content(), octets_on_wire("Subject: one\r\n\r\n.dot\r\n"));
  client->ask("DELE 1");
  EXPECT_THAT(client->ask("QUIT"), StartsWith("+OK"));
  EXPECT_EQ(client->rest(), "");
  EXPECT_EQ(dovecot.count("alice"), 1U);
  EXPECT_EQ(dovecot.count("bob"), 0U);
  dovecot.add_message("bob", "Subject: while it runs\n\n");
  EXPECT_THAT(logged_in(dovecot.port(), "bob")->ask("STAT"), StartsWith("+OK 1 "));
}

TEST_F(PrivateDovecotTest, SpeaksStlsAndImplicitTls) {
  PrivateDovecot dovecot(folder.path());
  dovecot.start();
  RawClient stls(dovecot.port());
  stls.line();
  EXPECT_THAT(stls.ask("STLS"), StartsWith("+OK"));
  stls.start_tls(dovecot.ca_file());
  EXPECT_THAT(stls.ask("USER alice"), StartsWith("+OK"));
  RawClient implicit(dovecot.tls_port());
  implicit.start_tls(dovecot.ca_file());
  EXPECT_THAT(implicit.line(), StartsWith("+OK"));
}

TEST_F(PrivateDovecotTest, TakesFurtherSettings) {
  PrivateDovecot dovecot(folder.path(), {.settings = {"login_greeting = hello from the test"}});
  dovecot.start();
  EXPECT_THAT(RawClient(dovecot.port()).line(), StartsWith("+OK hello from the test"));
}

TEST_F(PrivateDovecotTest, SaysWhyItDoesNotStart) {
  PrivateDovecot dovecot(folder.path(), {.settings = {"no_such_setting = yes"}});
  try {
    dovecot.start();
    FAIL() << "started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("no_such_setting"));
  }
}

TEST_F(PrivateDovecotTest, StopsAndStartsAgainOnTheSamePort) {
  PrivateDovecot dovecot(folder.path());
  dovecot.start();
  const std::uint16_t port = dovecot.port();
  dovecot.stop();
  EXPECT_THROW(RawClient{port}, std::exception);
  dovecot.start();
  EXPECT_EQ(dovecot.port(), port);
  EXPECT_THAT(RawClient(port).line(), StartsWith("+OK"));
}

TEST_F(PrivateDovecotTest, RefusedLoginsAreNotDelayed) {
  PrivateDovecot dovecot(folder.path());
  dovecot.start();
  for (int i = 0; i < 5; ++i) {
    EXPECT_THROW(logged_in(dovecot.port(), "alice", "wrong"), std::runtime_error);
  }
  EXPECT_THAT(logged_in(dovecot.port())->ask("STAT"), StartsWith("+OK"));
}

}  // namespace
}  // namespace popsync::test
