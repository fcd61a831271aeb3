// SPDX-License-Identifier: MIT
// Against a real Dovecot: every way in, messages byte for byte, and each policy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <ostream>
#include <set>

#include "state/state_store.h"
#include "support/dovecot.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/skip.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

// Dovecot keeps messages with LF and sends every LF as CRLF, so a CRLF in its file stays one and a bare LF becomes one; a final line end is added
// where there is none. What popsync has to store of a file of Dovecot's is therefore what it would store of this.
std::string as_dovecot_sends(const std::string& file) { return with_crlf(file); }

// Fit for Dovecot's parser of Maildir files: it does not serve NUL as it is (it sends 0x80), and skips leading line ends of a file no header began.
// It does not stuff a dot that is a message's first octet either: that is a test of its own.
bool dovecot_keeps(const NamedMessage& message) {
  return message.octets.find('\0') == std::string::npos && !message.octets.empty() && !message.octets.starts_with('.');
}

struct Dovecot : testing::Test {
  void SetUp() override { POPSYNC_REQUIRE(PrivateDovecot::available(), "dovecot-pop3d is not installed"); }
  void put(const std::string& octets) {
    dovecot->add_message("alice", octets);
    expected.push_back(as_dovecot_sends(octets));
  }
  void serve(const std::vector<std::string>& settings = {}) {
    dovecot = std::make_unique<PrivateDovecot>(folder.path(), DovecotOptions{.settings = settings});
  }
  void configure(const std::string& tls, const std::vector<std::string>& more = {}) {
    const bool clear = tls == "none";
    home.configure({.port = tls == "implicit" ? dovecot->tls_port() : dovecot->port(),
                    .host = clear ? "127.0.0.1" : "localhost",
                    .password = dovecot->password(),
                    .tls = tls,
                    .ca_file = clear ? "" : dovecot->ca_file(),
                    .more = more});
  }
  void sync(const std::string& fetched) {
    const ProgramResult result = home.run({"sync", "--json"});
    EXPECT_EQ(result.status, 0) << result.out << result.err << dovecot->log();
    EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), fetched);
  }
  [[nodiscard]] std::set<std::string> known_unique_ids() const {
    const auto store = state::StateStore::open(home.state_dir());
    std::set<std::string> uids;
    for (const state::AccountRow& account : store->accounts()) {
      for (const state::MessageRow& row : store->messages(account.id)) uids.insert(row.uid.octets);
    }
    return uids;
  }
  void expect_all_here() {
    const auto stored = messages_in(home.maildir());
    const auto wanted = as_stored(expected);
    ASSERT_EQ(stored.size(), wanted.size());
    for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_TRUE(stored[i] == wanted[i]) << "wanted: " << wanted[i].substr(0, 300);
  }

  ProgramHome home;
  TempFolder folder{"dovecot"};  // not below another of root's: where root runs the tests, Dovecot deletes nothing below a folder closed to it
  std::unique_ptr<PrivateDovecot> dovecot;
  std::vector<std::string> expected;
};

TEST_F(Dovecot, ThousandsOfMessagesArriveByteForByteAndOnce) {
  serve();
  for (const std::string& message : realistic_messages(2000, 11)) put(octets_stored(message));
  for (const NamedMessage& message : awkward_messages()) {
    if (dovecot_keeps(message)) put(octets_stored(message.octets));
  }
  dovecot->start();
  configure("implicit");
  sync(std::to_string(expected.size()));
  expect_all_here();
  sync("0");
  EXPECT_EQ(messages_in(home.maildir()).size(), expected.size());
  EXPECT_EQ(dovecot->count("alice"), expected.size());
  EXPECT_EQ(home.run({"verify"}).status, 0);
}

struct WayIn {
  std::string name;
  std::string tls;
  std::string auth;
};

void PrintTo(const WayIn& tested, std::ostream* out) { *out << tested.name; }

struct DovecotWayIn : Dovecot, testing::WithParamInterface<WayIn> {};

TEST_P(DovecotWayIn, SyncsTwiceAndChecks) {
  serve({"auth_mechanisms = plain login apop"});
  for (int i = 0; i < 20; ++i) put(octets_stored(small_message(std::to_string(i))));
  dovecot->start();
  configure(GetParam().tls, {"auth = \"" + GetParam().auth + "\""});
  const ProgramResult check = home.run({"check", "--connect"});
  EXPECT_EQ(check.status, 0) << check.out << check.err << dovecot->log();
  EXPECT_THAT(check.out, HasSubstr("20 to fetch"));
  sync("20");
  put(octets_stored(small_message("later")));
  sync("1");
  expect_all_here();
}

INSTANTIATE_TEST_SUITE_P(Ways, DovecotWayIn,
                         testing::Values(WayIn{"ClearUser", "none", "user"}, WayIn{"ClearPlain", "none", "plain"}, WayIn{"ClearApop", "none", "apop"},
                                         WayIn{"StlsAuto", "starttls", "auto"}, WayIn{"StlsUser", "starttls", "user"},
                                         WayIn{"ImplicitAuto", "implicit", "auto"}, WayIn{"ImplicitUser", "implicit", "user"},
                                         WayIn{"ImplicitPlain", "implicit", "plain"}, WayIn{"ImplicitApop", "implicit", "apop"}),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(Dovecot, AnotherFormatOfUniqueIdsFetchesNothingAgain) {
  serve();
  dovecot->set_settings({"pop3_uidl_format = " + dovecot->variable("08Xu", "uid | hex(8)") + dovecot->variable("08Xv", "uidvalidity | hex(8)")});
  const std::size_t count = std::getenv("POPSYNC_LONG") != nullptr ? 5000 : 500;
  for (const std::string& message : realistic_messages(count, 5)) put(octets_stored(message));
  dovecot->start();
  configure("none");
  sync(std::to_string(count));
  dovecot->stop();
  dovecot->set_settings({"pop3_uidl_format = " + dovecot->variable("g", "guid")});
  dovecot->start();
  const std::set<std::string> before = known_unique_ids();
  ASSERT_EQ(before.size(), count);
  sync("0");
  const std::set<std::string> after = known_unique_ids();
  EXPECT_EQ(after.size(), count);
  for (const std::string& uid : after) ASSERT_FALSE(before.contains(uid)) << "not re-identified: " << uid;
  sync("0");
  EXPECT_EQ(messages_in(home.maildir()).size(), count);
  const ProgramResult list = home.run({"list", "home"});
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.out, testing::Not(HasSubstr(" new")));
}

TEST_F(Dovecot, EmptiesTheMaildropWhenToldSo) {
  serve();
  for (const std::string& message : realistic_messages(300, 3)) put(octets_stored(message));
  dovecot->start();
  configure("starttls", {"leave_on_server = false"});
  sync("300");
  EXPECT_EQ(dovecot->count("alice"), 0U);
  expect_all_here();
  sync("0");
}

TEST_F(Dovecot, ChangedPolicyDeletesWhatWasKept) {
  serve();
  for (int i = 0; i < 10; ++i) put(octets_stored(small_message(std::to_string(i))));
  dovecot->start();
  configure("starttls");
  sync("10");
  EXPECT_EQ(dovecot->count("alice"), 10U);
  configure("starttls", {"leave_on_server = false"});
  sync("0");
  EXPECT_EQ(dovecot->count("alice"), 0U);
  expect_all_here();
}

TEST_F(Dovecot, MessageThatBeginsWithADotBlocksNothingForEver) {
  serve();
  dovecot->add_message("alice", ".\nSubject: unstuffed by Dovecot\n\nbody\n");
  for (int i = 0; i < 5; ++i) put(octets_stored(small_message(std::to_string(i))));
  dovecot->start();
  configure("starttls");
  EXPECT_EQ(home.run({"sync"}).status, 76);
  for (int session = 0; session < 3; ++session) home.run({"sync"});
  expect_all_here();
}

TEST_F(Dovecot, WrongPasswordIsRefused) {
  serve();
  dovecot->start();
  home.configure({.port = dovecot->tls_port(), .host = "localhost", .password = "wrong", .tls = "implicit", .ca_file = dovecot->ca_file()});
  EXPECT_EQ(home.run({"sync"}).status, 77);
}

TEST_F(Dovecot, UnknownAuthorityIsRefused) {
  serve();
  dovecot->start();
  home.configure({.port = dovecot->tls_port(), .host = "localhost", .password = dovecot->password(), .tls = "implicit"});
  EXPECT_EQ(home.run({"sync"}).status, 77);
}

TEST_F(Dovecot, ServerThatIsStoppedMeanwhileIsTemporaryTrouble) {
  serve();
  for (int i = 0; i < 5; ++i) put(octets_stored(small_message(std::to_string(i))));
  dovecot->start();
  configure("implicit");
  sync("5");
  dovecot->stop();
  EXPECT_EQ(home.run({"sync"}).status, 75);
  dovecot->start();
  put(octets_stored(small_message("later")));
  sync("1");
  expect_all_here();
}

}  // namespace
}  // namespace popsync::test
