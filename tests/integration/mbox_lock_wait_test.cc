// SPDX-License-Identifier: MIT
// The program waits for an mbox that another one keeps locked, and is told to stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

struct MboxLockWait : testing::TestWithParam<std::string> {
  void SetUp() override {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + MaildropServer::kUser +
                        "\"\npassword = \"" + MaildropServer::kPassword +
                        "\"\ntls = \"none\"\nallow_insecure_auth = true\nleave_on_server = false\nmbox = \"" + mbox() + "\"\n");
    server.add(small_message("first"));
    ASSERT_EQ(home.run({"sync"}).status, 0);
    server.add(small_message("second"));
    std::ofstream(lock()) << ::getpid() << '\n';
    folder.reset(::inotify_init1(IN_CLOEXEC));
    ASSERT_GE(::inotify_add_watch(folder.get(), (home.folder() / "mail").c_str(), IN_CREATE), 0);
  }
  // Until the program has tried to make the dot lock: liblockfile makes a file of its own beside it first. False after a minute.
  bool wait_for_try() {
    pollfd watched{.fd = folder.get(), .events = POLLIN, .revents = 0};
    std::array<char, 4096> events{};
    return ::poll(&watched, 1, 60'000) == 1 && ::read(folder.get(), events.data(), events.size()) > 0;
  }
  void drop_events() {
    pollfd watched{.fd = folder.get(), .events = POLLIN, .revents = 0};
    std::array<char, 4096> events{};
    while (::poll(&watched, 1, 0) == 1) ASSERT_GT(::read(folder.get(), events.data(), events.size()), 0);
  }
  void expect_stopped(ProgramRun& program) {
    program.signal(SIGTERM);
    const ProgramResult result = program.wait();
    EXPECT_EQ(result.status, GetParam() == "run" ? 0 : 75) << result.err;
    if (GetParam() == "sync") {
      EXPECT_THAT(result.err, HasSubstr("stopped while another program kept " + mbox() + " locked"));
    }
    EXPECT_THAT(result.err, Not(HasSubstr("keeps"))) << "that is said by one who has waited to the end";
    EXPECT_THAT(result.err, Not(HasSubstr("leaving"))) << "nobody had to be left behind";
    EXPECT_EQ(entries_of(content_of(mbox())).size(), 1U);
    EXPECT_EQ(server.count(), 1U);
    EXPECT_TRUE(fs::exists(lock())) << "it is another's";
  }
  void expect_nothing_lost() {
    fs::remove(lock());
    EXPECT_EQ(home.run({"sync"}).status, 0);
    std::vector<std::string> here;
    for (MboxText& entry : entries_of(content_of(mbox()))) here.push_back(std::move(entry.message));
    EXPECT_EQ(here, as_stored({small_message("first"), small_message("second")}));
    EXPECT_EQ(server.count(), 0U);
  }
  [[nodiscard]] std::string mbox() const { return home.folder() / "mail/box"; }
  [[nodiscard]] std::string lock() const { return mbox() + ".lock"; }

  MaildropServer server;
  ProgramHome home;
  UniqueFd folder;  // tells of new names in it
};

TEST_P(MboxLockWait, OfASessionHearsTheStop) {
  const auto program = home.start({GetParam()});
  ASSERT_TRUE(wait_for_try());
  expect_stopped(*program);
  expect_nothing_lost();
}

TEST_P(MboxLockWait, OfARecoveryHearsTheStop) {
  {
    const auto killed = home.start({"sync"});
    ASSERT_TRUE(wait_for_try());
    killed->signal(SIGKILL);
    EXPECT_EQ(killed->wait().status, 128 + SIGKILL);
  }
  drop_events();
  const std::size_t sessions = server.record().sessions;
  const auto program = home.start({GetParam()});
  ASSERT_TRUE(wait_for_try());
  EXPECT_EQ(server.record().sessions, sessions) << "recovery comes before the connection";
  expect_stopped(*program);
  expect_nothing_lost();
}

INSTANTIATE_TEST_SUITE_P(Commands, MboxLockWait, testing::Values("sync", "run"), [](const auto& each) { return each.param; });

}  // namespace
}  // namespace popsync::test
