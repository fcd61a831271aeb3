// SPDX-License-Identifier: MIT
// popsync adopt: mail that another program has put into the Maildir is known by header and size, is not fetched again, and is deleted on the server
// only where nothing is in doubt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::string named(const std::string& name, const std::string& body = "Hello\r\n") {
  return "From: ada@example.org\r\nTo: alice@example.com\r\nDate: Mon, 2 Oct 2023 10:00:00 +0000\r\nMessage-ID: <" + name +
         "@example.org>\r\nSubject: " + name + "\r\n\r\n" + body;
}

struct Adoption : testing::Test {
  void SetUp() override { configure({}); }
  void configure(const std::vector<std::string>& more) { home.configure({.port = server.port(), .more = more}); }
  // As another program would, without a trace of popsync.
  void fill(const std::string& place, const std::string& octets) {
    for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home.maildir() + "/" + part);
    (void)home.folder().write("mail/home/" + place, octets);
  }
  ProgramResult adopt() {
    ProgramResult result = home.run({"adopt", "home"});
    EXPECT_EQ(result.status, 0) << result.err;
    return result;
  }
  std::string fetched() {
    const ProgramResult result = home.run({"sync", "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json_at(result.out, "accounts[0].fetched");
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(Adoption, MailOfAnotherProgramIsNotFetchedAgain) {
  for (const char* name : {"one", "two", "three"}) server.add(named(name));
  fill("cur/1700000000.V801I1.host,S=10:2,RS", octets_stored(named("one")));
  fill("new/1700000001.1_0.host", named("two"));  // with CRLF
  fill("new/1700000002.3.host", octets_stored(named("not on the server")));
  const ProgramResult result = adopt();
  EXPECT_EQ(result.out, "home: 3 messages on the server, 2 found in the Maildir by header; 1 will be fetched\n");
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
  EXPECT_EQ(fetched(), "0");
  EXPECT_THAT(adopt().out, HasSubstr("0 found in the Maildir by header; 0 will be fetched"));
}

TEST_F(Adoption, OnlyWhatIsBeyondDoubtIsDeletedOnTheServer) {
  server.add(named("exact"), "exact");
  server.add(named("received"), "received");
  server.add(small_message("without message-id"), "without");
  server.add(named("new"), "new");
  fill("cur/1.1.host:2,S", octets_stored(named("exact")));
  fill("cur/2.1.host:2,S", "Received: by another program\n" + octets_stored(named("received")));
  fill("cur/3.1.host:2,S", octets_stored(small_message("without message-id")));
  EXPECT_THAT(adopt().out, HasSubstr("3 found in the Maildir by header (2 not beyond doubt, never deleted on the server); 1 will be fetched"));
  EXPECT_EQ(server.count(), 4U);
  configure({"leave_on_server = false"});
  EXPECT_EQ(fetched(), "1");
  EXPECT_THAT(server.uids(), UnorderedElementsAre("received", "without"));
  EXPECT_EQ(fetched(), "0");
  EXPECT_THAT(server.uids(), UnorderedElementsAre("received", "without"));
}

TEST_F(Adoption, AdoptedMessageThatReturnsIsComparedBeforeItIsDeletedAgain) {
  server.add(named("aaaaa"), "same");
  server.add(named("stays"), "stays");
  fill("cur/1.1.host:2,S", octets_stored(named("aaaaa")));
  fill("cur/2.1.host:2,S", octets_stored(named("stays")));
  adopt();
  server.remove("same");
  EXPECT_EQ(fetched(), "0");
  server.add(named("bbbbb"), "same");  // another message under its unique-id, of its size
  configure({"leave_on_server = false"});
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()), as_stored({named("aaaaa"), named("bbbbb"), named("stays")}));
}

TEST_F(Adoption, WhatIsHereOnceIsAdoptedOnce) {
  server.add(named("list", "to you\r\n"));
  server.add(named("list", "to you, by the list, with a footer\r\n"));
  server.add(small_message("twin", "one\r\n"));
  server.add(small_message("twin", "two\r\n"));
  fill("cur/1.1.host:2,S", "Received: by another program\n" + octets_stored(named("list", "to you\r\n")));
  fill("cur/2.1.host:2,S", octets_stored(small_message("twin", "two\r\n")));
  // Of the first two one is new and nothing tells which; the twins differ in the body alone. Twice is better than never.
  EXPECT_THAT(adopt().out, HasSubstr("0 found in the Maildir by header; 4 will be fetched"));
}

TEST_F(Adoption, MaildirOfAnotherStateIsTakenOverAndThatOneStops) {
  for (const char* name : {"one", "two"}) server.add(named(name));
  ProgramHome other;
  other.configure({.port = server.port(), .maildir = home.maildir()});
  EXPECT_EQ(other.run({"sync"}).status, 0);
  server.add(named("three"));
  home.configure({.port = server.port(), .maildir = home.folder() / "mail/elsewhere"});
  EXPECT_EQ(fetched(), "3");
  EXPECT_EQ(home.run({"forget", "home", "--yes"}).status, 0);
  configure({});
  EXPECT_EQ(home.run({"sync"}).status, 78);
  EXPECT_THAT(adopt().out, HasSubstr("2 found in the Maildir by header; 1 will be fetched"));
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_EQ(other.run({"sync"}).status, 78);
  EXPECT_EQ(fetched(), "0");
}

TEST_F(Adoption, AfterALostStateFileNamesAndHeadersTellTogether) {
  for (const char* name : {"one", "two", "three"}) server.add(named(name));
  EXPECT_EQ(fetched(), "3");
  server.rekey();  // the names have the tokens of the old unique-ids
  server.add(named("four"));
  fs::remove_all(home.state_dir());
  EXPECT_THAT(adopt().out, HasSubstr("3 found in the Maildir by header; 1 will be fetched"));
  EXPECT_EQ(fetched(), "1");
  fs::remove_all(home.state_dir());
  EXPECT_THAT(adopt().out, HasSubstr("3 found in the Maildir by header, 1 by the names of their files; 0 will be fetched"));
}

TEST_F(Adoption, SessionThatBreaksLeavesNothingBehind) {
  for (const char* name : {"one", "two"}) server.add(named(name));
  fill("cur/1.1.host:2,S", octets_stored(named("one")));
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .nth = 2, .close = true}}; });
  EXPECT_EQ(home.run({"adopt", "home"}).status, 75);
  EXPECT_FALSE(fs::exists(home.maildir() + "/tmp/.popsync"));
  server.set_knobs({});
  EXPECT_THAT(adopt().out, HasSubstr("1 found in the Maildir by header; 1 will be fetched"));
}

TEST_F(Adoption, IsRefusedWhereItCannotTell) {
  server.add(named("one"));
  const ProgramResult absent = home.run({"adopt", "home"});
  EXPECT_EQ(absent.status, 73);
  EXPECT_THAT(absent.err, HasSubstr("nothing to adopt"));
  fill("cur/1.1.host:2,S", octets_stored(named("one")));
  server.change([](MaildropKnobs& knobs) { knobs.top = false; });
  const ProgramResult no_top = home.run({"adopt", "home"});
  EXPECT_EQ(no_top.status, 69);
  EXPECT_THAT(no_top.err, AllOf(HasSubstr("no headers"), HasSubstr("popsync seed home")));
  home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                      "\nuser = \"alice\"\npassword = \"open-sesame\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" +
                      (home.folder() / "mail.mbox") + "\"\n");
  EXPECT_EQ(home.run({"adopt", "home"}).status, 64);
}

}  // namespace
}  // namespace popsync::test
