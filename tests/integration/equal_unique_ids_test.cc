// SPDX-License-Identifier: MIT
// Several messages behind one unique-id: every command calls each of them by the same name, UID#k.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct EqualUniqueIds : testing::Test {
  void SetUp() override {
    server.add(small_message("one"), "dup");
    server.add(small_message("two", "line\r\n"), "dup");
    server.add(small_message("three", "line\r\nand line\r\n"), "dup");
    home.configure({.name = "w", .port = server.port()});
  }
  void refuse(int number) {
    server.change([&](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = number, .reply = "-ERR damaged"}}; });
  }
  // "dup#2 seen" of each message, in the order of the maildrop.
  [[nodiscard]] std::vector<std::string> list() const {
    const ProgramResult result = home.run({"list", "w", "--json"});
    std::vector<std::string> out;
    for (int i = 0;; ++i) {
      const std::string message = "messages[" + std::to_string(i) + "].";
      const std::string uid = json_at(result.out, message + "uid");
      if (uid == "(absent)" || uid == "null") return out;
      out.push_back(uid + " " + json_at(result.out, message + "state"));
    }
  }
  [[nodiscard]] std::string held() const { return json_at(home.run({"status", "--json"}).out, "accounts[0].held[0].uid"); }
  [[nodiscard]] std::string shown(const std::string& uid) const { return home.run({"show", "w", uid}).out; }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(EqualUniqueIds, AreNumberedInTheOrderOfTheMaildropWhileNothingIsKnown) {
  EXPECT_THAT(list(), ElementsAre("dup new", "dup#2 new", "dup#3 new"));
  EXPECT_THAT(home.run({"sync", "--dry-run"}).out, AllOf(HasSubstr("fetch   dup  "), HasSubstr("fetch   dup#2  "), HasSubstr("fetch   dup#3  ")));
  EXPECT_THAT(shown("dup#3"), HasSubstr("Subject: three"));
}

TEST_F(EqualUniqueIds, AHeldOneHasOneNameEverywhere) {
  refuse(3);
  EXPECT_THAT(home.run({"sync"}).err, HasSubstr("message dup#3: the server refuses it"));
  home.run({"sync"});
  EXPECT_THAT(home.run({"sync"}).err, AllOf(HasSubstr("`popsync retry w dup#3`"), HasSubstr("`popsync skip w dup#3`")));
  EXPECT_THAT(list(), ElementsAre("dup seen", "dup#2 seen", "dup#3 held"));
  EXPECT_EQ(held(), "dup#3");
  EXPECT_THAT(home.run({"status"}).out, HasSubstr("held dup#3: "));
  EXPECT_THAT(home.run({"skip", "w", "dup#2"}).err, HasSubstr("message dup#2 is not held"));
  EXPECT_EQ(home.run({"retry", "w", "dup#3"}).status, 0);
  EXPECT_EQ(home.run({"skip", "w", "dup#3"}).status, 0);
  EXPECT_THAT(list(), ElementsAre("dup seen", "dup#2 seen", "dup#3 skipped"));
}

TEST_F(EqualUniqueIds, NameIsThatOfTheRowWhereverTheMessageStands) {
  refuse(2);
  home.run({"sync"});
  // The others were stored first.
  EXPECT_THAT(list(), ElementsAre("dup seen", "dup#3 held", "dup#2 seen"));
  EXPECT_EQ(held(), "dup#3");
  EXPECT_THAT(shown("dup#3"), HasSubstr("Subject: two"));
  EXPECT_THAT(home.run({"sync", "--dry-run"}).out, HasSubstr("compare dup#3  "));
  EXPECT_EQ(home.run({"skip", "w", "dup#3"}).status, 0);
  EXPECT_THAT(list(), ElementsAre("dup seen", "dup#3 skipped", "dup#2 seen"));
}

TEST_F(EqualUniqueIds, MessagesOverTheLimitAreNamedInTheWarning) {
  home.configure({.name = "w", .port = server.port(), .more = {"max_message_size = \"1kB\""}});
  server.add(small_message("big", std::string(5000, 'x') + "\r\n"), "big");
  server.add(small_message("bigger", std::string(6000, 'x') + "\r\n"), "big");
  const ProgramResult result = home.run({"sync"});
  EXPECT_THAT(result.err, AllOf(HasSubstr("message big (listed with"), HasSubstr("message big#2 (listed with")));
}

TEST_F(EqualUniqueIds, VerifyNamesWhatIsMissing) {
  home.run({"sync"});
  std::string lost;
  for (const std::string& file : message_files(home.maildir("w"))) {
    if (home.folder().read(file.substr(home.folder().path().size() + 1)).find("Subject: two") != std::string::npos) lost = file;
  }
  std::filesystem::remove(lost);
  const ProgramResult result = home.run({"verify"});
  EXPECT_THAT(result.out, AllOf(HasSubstr("  dup#2  "), Not(HasSubstr("  dup  ")), Not(HasSubstr("  dup#3  "))));
  EXPECT_EQ(json_at(home.run({"verify", "--json"}).out, "accounts[0].missing[0].uid"), "dup#2");
  home.run({"refetch", "w", "--missing"});
  EXPECT_THAT(list(), ElementsAre("dup seen", "dup#3 new", "dup#2 seen"));
  home.run({"sync"});
  EXPECT_EQ(messages_in(home.maildir("w")), as_stored(server.messages()));
}

TEST_F(EqualUniqueIds, RefetchTakesTheOneThatListNames) {
  home.run({"sync"});
  for (const std::string& file : message_files(home.maildir("w"))) std::filesystem::remove(file);
  EXPECT_THAT(home.run({"refetch", "w", "dup#2", "dup#2"}).out, HasSubstr("1 message "));
  EXPECT_THAT(list(), ElementsAre("dup seen", "dup#3 new", "dup#2 seen"));
  home.run({"sync"});
  EXPECT_EQ(messages_in(home.maildir("w")), as_stored({small_message("two", "line\r\n")}));
}

TEST_F(EqualUniqueIds, ARowStandsForOneMessageOnly) {
  refuse(3);
  home.run({"sync"});
  for (const std::string& file : message_files(home.maildir("w"))) std::filesystem::remove(file);
  EXPECT_THAT(home.run({"refetch", "w", "--missing"}).out, HasSubstr("2 messages "));
  EXPECT_THAT(list(), ElementsAre("dup#2 new", "dup#3 new", "dup held"));
  EXPECT_EQ(held(), "dup");
}

}  // namespace
}  // namespace popsync::test
