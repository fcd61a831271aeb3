// SPDX-License-Identifier: MIT
// The daemon with two accounts, of which one puts its mail on a small disk: a tmpfs in namespaces of its own, so that no privilege is needed.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "base/unique_fd.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

// `sh -c SCRIPT sh SMALL COMMANDS PROGRAM ...`: mounts, does in the background what COMMANDS, a FIFO, tells, and becomes the program.
constexpr const char* kOnSmallDisk =
    "mount -t tmpfs -o size=1m,mode=700 small \"$1\" && cd \"$1\" || exit; "
    "while read -r line; do eval \"$line\"; done < \"$2\" & "
    "shift 2; exec \"$@\"";

struct FullDisk : testing::Test {
  void SetUp() override {
    server.add_user("bob", MaildropServer::kPassword);
    const std::vector<std::string> keys = {"interval = \"1h\"", "leave_on_server = false", "min_free_space = \"0B\""};
    home.configure_all({{.name = "alice", .port = server.port(), .maildir = small + "/Mail", .more = keys},
                        {.name = "bob", .port = server.port(), .user = "bob", .more = keys}});
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    commands.reset(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));  // for writing alone it would wait for a reader that may never come
  }
  [[nodiscard]] ProgramCall on_small_disk(const ProgramCall& call) const {
    ProgramCall whole = call;
    whole.program = "unshare";
    whole.arguments = {"-rm", "sh", "-c", kOnSmallDisk, "sh", small, fifo, built_program()};
    whole.arguments.insert(whole.arguments.end(), call.arguments.begin(), call.arguments.end());
    return whole;
  }
  // A line for the shell, in the small disk's folder; waits until it is done.
  void tell(const std::string& line) {
    const std::string told = "told " + std::to_string(++lines);
    const std::string text = line + "; echo " + told + " >&2\n";
    ASSERT_EQ(::write(commands.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ASSERT_TRUE(daemon->wait_for_err(told));
  }
  void mail_comes() {
    server.add(small_message("for alice " + std::to_string(++mails)));
    server.add_to("bob", small_message("for bob " + std::to_string(mails)));
  }
  bool sessions_done(std::size_t count) {
    return server.wait_for([&](const MaildropRecord& record) { return record.quits >= count && record.open_sessions == 0; });
  }

  MaildropServer server;
  ProgramHome home;
  std::string small = home.folder().make("small");
  std::string fifo = home.folder() / "commands";
  UniqueFd commands;
  std::unique_ptr<ProgramRun> daemon;
  int mails = 0;
  int lines = 0;
};

TEST_F(FullDisk, HoldsItsAccountAndNoOtherUntilThereIsRoom) {
  if (run_program({.arguments = {"-rm", "mount", "-t", "tmpfs", "small", small}, .program = "unshare"}).status != 0) {
    std::cout << "not tried: no disk can be mounted here\n";
    return;  // containers forbid it as a rule; OneDiskOfTwo shows the same without a disk
  }
  mail_comes();
  daemon = std::make_unique<ProgramRun>(on_small_disk(home.call({"run"})));
  ASSERT_TRUE(sessions_done(2));
  tell("head -c 2M /dev/zero > filler 2>/dev/null");
  mail_comes();
  daemon->signal(SIGUSR1);
  ASSERT_TRUE(sessions_done(3));
  ASSERT_TRUE(daemon->wait_for_err("No space left"));
  EXPECT_EQ(messages_in(home.maildir("bob")).size(), 2U);
  EXPECT_EQ(server.count("bob"), 0U);
  EXPECT_EQ(server.count(), 1U) << "what is not safe here stays there";
  tell("rm filler");
  daemon->signal(SIGHUP);  // its own next try is minutes away, and SIGUSR1 leaves an account alone that an operator must look at
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.removed.size() == 4 && record.open_sessions == 0; }));
  tell("cp -r Mail ../kept");
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(home.folder() / "kept"), as_stored({small_message("for alice 1"), small_message("for alice 2")}));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
}

}  // namespace
}  // namespace popsync::test
