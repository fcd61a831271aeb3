// SPDX-License-Identifier: MIT
// Into one mbox together with programs that others wrote: each keeps the others out while it writes, and what all of them wrote is there, once and
// whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/skip.h"

namespace popsync::test {
namespace {

constexpr std::size_t kMessages = 30;

struct MboxWriters : testing::Test {
  void SetUp() override {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + MaildropServer::kUser +
                        "\"\npassword = \"" + MaildropServer::kPassword + "\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox() +
                        "\"\n");
  }
  void mail_comes() {
    for (std::size_t i = 0; i < kMessages; ++i) {
      server.add(small_message("popsync " + std::to_string(server.count()), std::string(i * 300, 'x') + "\r\nFrom me\r\n"));
    }
  }
  [[nodiscard]] std::string mbox() const { return home.folder() / "mail/box"; }
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> messages;
    for (MboxText& entry : entries_of(content_of(mbox()))) messages.push_back(std::move(entry.message));
    std::ranges::sort(messages);
    return messages;
  }
  ProgramResult run(const std::string& program, std::vector<std::string> arguments, const std::string& input = "") const {
    return run_program({.arguments = std::move(arguments), .environment = {{"HOME", home.folder() / "home"}}, .input = input, .program = program});
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(MboxWriters, ProcmailAndPopsyncLoseNothingOfEachOther) {
  POPSYNC_REQUIRE_PROGRAM("procmail");
  const std::string rules =
      home.folder().write("home/procmailrc", "MAILDIR=" + (home.folder() / "mail") + "\nDEFAULT=" + mbox() + "\nLOCKSLEEP=1\n:0:\nbox\n");
  std::vector<std::string> all;
  std::unique_ptr<ProgramRun> sync;
  for (int i = 0; i < 40; ++i) {
    if (i % 8 == 0) {  // several sessions, so that they meet more than once
      if (sync) sync->wait();
      mail_comes();
      sync = home.start({"sync"});
    }
    const std::string message = "Subject: procmail " + std::to_string(i) + "\n\n" + std::string(static_cast<std::size_t>(i + 1) * 50, 'y') + "\n";
    EXPECT_EQ(run("procmail", {"-f", "procmail@example.org", rules}, message).status, 0);
    all.push_back(message);
  }
  EXPECT_EQ(sync->wait().status, 0) << sync->err();
  for (const std::string& message : as_stored(server.messages())) all.push_back(message);
  std::ranges::sort(all);
  const auto here = messages();
  ASSERT_EQ(here.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(here[i] == all[i]) << "wanted: " << all[i].substr(0, 200);
}

struct Locker {
  std::string name;
  std::string program;
  std::vector<std::string> lock;  // arguments before the path
  std::vector<std::string> unlock;
  std::string path;  // behind that of the mbox
};
void PrintTo(const Locker& tested, std::ostream* out) { *out << tested.name; }

struct MboxLockers : MboxWriters, testing::WithParamInterface<Locker> {};

TEST_P(MboxLockers, NothingIsWrittenWhileTheLockOfAnotherIsThere) {
  const Locker& locker = GetParam();
  POPSYNC_REQUIRE_PROGRAM(locker.program);
  const std::string before = "From you Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nbody\n\n";
  (void)home.folder().write("mail/box", before);
  mail_comes();
  const auto with_path = [&](std::vector<std::string> arguments) {
    arguments.push_back(mbox() + locker.path);
    return arguments;
  };
  ASSERT_EQ(run(locker.program, with_path(locker.lock)).status, 0);
  const auto sync = home.start({"sync"});
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.count("RETR") == kMessages; }));
  EXPECT_EQ(content_of(mbox()), before);
  ASSERT_EQ(run(locker.program, with_path(locker.unlock)).status, 0);
  EXPECT_EQ(sync->wait().status, 0) << sync->err();
  EXPECT_EQ(messages().size(), kMessages + 1);
  // And ours is away: the other gets it at once.
  EXPECT_EQ(run(locker.program, with_path(locker.lock)).status, 0);
  EXPECT_EQ(run(locker.program, with_path(locker.unlock)).status, 0);
}

INSTANTIATE_TEST_SUITE_P(Of, MboxLockers,
                         testing::Values(Locker{"Dotlockfile", "dotlockfile", {"-r", "0", "-l"}, {"-u"}, ".lock"},
                                         Locker{"MuttDotlock", "mutt_dotlock", {"-r", "0"}, {"-u"}, ""}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
