// SPDX-License-Identifier: MIT
// The program beside file systems that do not answer: 40 accounts on one that is dead at the start, one that dies in the middle of a batch, one that
// dies at an account's first use, and an account elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>

#include "base/clock.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"
#include "support/silent_mount.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

constexpr int kOnDeadMount = 40;

struct DeadMount : testing::Test {
  // False where nothing can be mounted.
  bool mount() {
    for (auto* each : {&start, &middle, &first_use}) {
      each->mount = SilentMount::mount(each->point);
      if (!each->mount) return false;
    }
    return true;
  }
  AccountText account(const std::string& name, const std::string& folder, const std::string& interval) {
    server.add_user(name, MaildropServer::kPassword);
    accounts.push_back(
        {.name = name, .port = server.port(), .user = name, .maildir = folder + "/" + name, .more = {"interval = \"" + interval + "\""}});
    return accounts.back();
  }
  void mail_comes() {
    for (const AccountText& each : accounts) server.add_to(each.name, small_message("for " + each.name + " " + std::to_string(++mails)));
  }
  std::size_t sessions_of(const std::string& user) {
    const MaildropRecord record = server.record();
    return static_cast<std::size_t>(
        std::ranges::count_if(record.credentials, [&](const ReceivedCredential& each) { return each.user == user && each.accepted; }));
  }
  // One session more than there were.
  bool goes_on(const std::string& user) {
    const std::size_t before = sessions_of(user);
    return server.wait_for(
        [&](const MaildropRecord& record) {
          return std::ranges::count_if(record.credentials, [&](const ReceivedCredential& each) { return each.user == user && each.accepted; }) >=
                 static_cast<std::ptrdiff_t>(before + 1);
        },
        std::chrono::seconds(120));
  }
  static bool comes_true(const std::function<bool()>& what) {
    const SteadyTime deadline = system_clock().steady() + std::chrono::seconds(60);
    while (!what()) {
      if (system_clock().steady() > deadline) return false;
    }
    return true;
  }
  // How many accounts `status` says this of.
  [[nodiscard]] int told_silent() const {
    const std::string text = home.run({"status"}).out;
    int count = 0;
    for (auto at = text.find("does not answer since"); at != std::string::npos; at = text.find("does not answer since", at + 1)) ++count;
    return count;
  }

  struct Disk {
    std::string point;
    std::unique_ptr<SilentMount> mount = {};
  };

  MaildropServer server;
  ProgramHome home;
  ProgramHome other_home;  // of a user who calls `popsync sync`
  ProgramHome new_home;    // without a state
  Disk start{.point = home.folder().make("start")};
  Disk middle{.point = home.folder().make("middle")};
  Disk first_use{.point = home.folder().make("first_use")};
  NotifySocket manager{home.folder() / "notify"};
  std::vector<AccountText> accounts;
  int mails = 0;
};

// One test: each of its parts waits for the same half a minute.
TEST_F(DeadMount, HoldsUpNoOtherAccountAndNoSignal) {
  if (!mount()) {
    std::cout << "not tried: no FUSE file system can be mounted here\n";
    return;  // HungDisk shows the same without one
  }
  for (int i = 0; i < kOnDeadMount; ++i) account("d" + std::to_string(i), start.point, "10s");
  account("middle", middle.point, "10s");
  account("elsewhere", home.folder() / "mail", "10s");
  home.configure_all(accounts);
  mail_comes();
  ASSERT_EQ(home.run({"sync"}).status, 0);
  mail_comes();
  account("first", first_use.point, "10s");
  server.add_to("first", small_message("the first one"));
  home.configure_all(accounts);
  for (const char* user : {"stuck", "free", "new"}) {
    server.add_user(user, MaildropServer::kPassword);
    server.add_to(user, small_message(user));
  }
  const AccountText free{.name = "free", .port = server.port(), .user = "free", .maildir = other_home.maildir("free")};
  other_home.configure_all({free});
  ASSERT_EQ(other_home.run({"sync"}).status, 0);
  server.add_to("free", small_message("another"));
  other_home.configure_all({{.name = "stuck", .port = server.port(), .user = "stuck", .maildir = start.point + "/stuck"}, free});
  new_home.configure_all({{.name = "new", .port = server.port(), .user = "new", .maildir = start.point + "/new"}});
  for (const char* known : {"stuck", "new"}) std::filesystem::create_directory(start.point + "/" + known);
  start.mount->fall_silent();
  middle.mount->fall_silent_behind(DiskEvent::write);
  first_use.mount->fall_silent_behind(DiskEvent::sync);

  ProgramCall call = home.call({"run"});
  call.environment["NOTIFY_SOCKET"] = manager.path();
  ProgramRun daemon(call);
  ASSERT_TRUE(manager.wait_for("READY=1")) << "it must not wait for a disk";
  const auto sync = other_home.start({"sync"});
  const auto new_daemon = new_home.start({"run"});
  ASSERT_TRUE(middle.mount->wait_for_waiter());
  ASSERT_TRUE(first_use.mount->wait_for_waiter());
  EXPECT_TRUE(goes_on("elsewhere"));

  const ProgramResult synced = sync->wait(std::chrono::seconds(120));
  EXPECT_EQ(synced.status, 75) << synced.err;
  EXPECT_THAT(synced.err, HasSubstr("stuck: the file system of " + start.point));
  EXPECT_THAT(synced.err, HasSubstr("does not answer since"));
  EXPECT_EQ(messages_in(other_home.maildir("free")).size(), 2U);
  const ProgramResult recorded = other_home.run({"status", "stuck", "--json", "--exit-code"});
  EXPECT_EQ(recorded.status, 75);
  EXPECT_EQ(json_at(recorded.out, "accounts[0].last_error.code"), "disk_hangs");
  EXPECT_TRUE(new_daemon->wait_for_err("whether a lost state filled it is not known"));
  new_daemon->signal(SIGTERM);
  EXPECT_EQ(new_daemon->wait().status, 0) << new_daemon->err();

  EXPECT_TRUE(comes_true([&] { return told_silent() == kOnDeadMount + 2; })) << home.run({"status"}).out << daemon.err();
  EXPECT_EQ(home.run({"status", "--exit-code"}).status, 75);
  EXPECT_TRUE(goes_on("elsewhere"));
  EXPECT_EQ(messages_in(home.folder() / "mail/elsewhere").size(), 2U);

  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait().status, 0) << daemon.err();
  EXPECT_TRUE(manager.wait_for("STOPPING=1"));

  for (auto* each : {&start, &middle, &first_use}) each->mount->answer_again();
  const ProgramResult after = home.run({"sync"});
  EXPECT_EQ(after.status, 0) << after.err;
  for (const AccountText& each : accounts) EXPECT_EQ(messages_in(each.maildir), as_stored(server.messages(each.name))) << each.name;
}

TEST_F(DeadMount, UnderTheStateItselfLetsTheDaemonHearSigterm) {
  std::filesystem::create_directories(home.state_dir());
  const auto state = SilentMount::mount(home.state_dir());
  if (!state) {
    std::cout << "not tried: no FUSE file system can be mounted here\n";
    return;
  }
  home.configure_all({account("alone", home.folder() / "mail", "1h")});
  state->fall_silent_behind(DiskEvent::write);  // the key of the install
  const auto daemon = home.start({"run"});
  ASSERT_TRUE(state->wait_for_waiter());
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
}

}  // namespace
}  // namespace popsync::test
