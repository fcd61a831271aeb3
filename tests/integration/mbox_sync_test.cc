// SPDX-License-Identifier: MIT
// The program and its mbox: two accounts, what check says, what verify finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::vector<std::string> messages_of(const std::string& mbox) {
  std::vector<std::string> messages;
  for (MboxText& entry : entries_of(content_of(mbox))) messages.push_back(std::move(entry.message));
  std::ranges::sort(messages);
  return messages;
}

void write(const std::string& file, const std::string& octets) {
  fs::create_directories(fs::path(file).parent_path());
  std::ofstream(file, std::ios::binary) << octets;
}

struct MboxProgram : testing::Test {
  void configure(const std::vector<std::string>& users) {
    std::string text;
    for (const std::string& user : users) {
      text += "[accounts." + user + "]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + user + "\"\npassword = \"" +
              MaildropServer::kPassword + "\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox() + "\"\n\n";
    }
    home.configure_with(text);
  }
  [[nodiscard]] std::string mbox() const { return home.folder() / "mail/box"; }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(MboxProgram, TwoAccountsShareOne) {
  server.add_user("bob", MaildropServer::kPassword);
  for (int i = 0; i < 3; ++i) {
    server.add(small_message("for alice " + std::to_string(i)));
    server.add_to("bob", small_message("for bob " + std::to_string(i)));
  }
  configure({MaildropServer::kUser, "bob"});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(home.run({"sync"}).out, "");
  EXPECT_EQ(messages_of(mbox()).size(), 6U);
}

TEST_F(MboxProgram, CheckTellsItsConditionAndItsLocks) {
  configure({MaildropServer::kUser});
  EXPECT_THAT(home.run({"check"}).out,
              AllOf(HasSubstr("box does not exist yet, the next message makes it"), HasSubstr("fcntl, then "), HasSubstr("box.lock")));
  server.add(small_message("a"));
  EXPECT_EQ(home.run({"sync"}).status, 0);
  const ProgramResult check = home.run({"check"});
  EXPECT_EQ(check.status, 0) << check.out;
  EXPECT_THAT(check.out, HasSubstr("box is the mbox used before"));
  write(mbox(), "no mbox\n");
  EXPECT_EQ(home.run({"check"}).status, 73);
}

TEST_F(MboxProgram, VerifyFindsWhatWasRemovedAndRefetchBringsItBack) {
  for (int i = 0; i < 3; ++i) server.add(small_message("message " + std::to_string(i)));
  configure({MaildropServer::kUser});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(home.run({"verify"}).status, 0);
  const std::string text = content_of(mbox());
  write(mbox(), text.substr(text.find("\n\nFrom ") + 2));
  EXPECT_EQ(home.run({"verify"}).status, 65);
  EXPECT_EQ(home.run({"refetch", MaildropServer::kUser, "--missing"}).status, 0);
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_of(mbox()), as_stored(server.messages()));
  EXPECT_EQ(home.run({"verify"}).status, 0);
}

}  // namespace
}  // namespace popsync::test
