// SPDX-License-Identifier: MIT
// The disk under one account's Maildir fails, or is full: what the user is told, and that an account on another disk goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "state/transaction.h"
#include "support/failing_fs.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct SuspendedMailstore : testing::Test {
  void SetUp() override {
    server.add(message_with_id("one"));
    home.configure({.port = server.port()});
    ASSERT_EQ(home.run({"sync"}).status, 0);
    const auto store = state::StateStore::open(home.state_dir());
    store->suspend({store->mailstores().at(0).id}, "the disk failed");
  }
  std::string in_status(const std::string& path) { return json_at(home.run({"status", "--json"}).out, path); }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(SuspendedMailstore, StatusTellsWhyAndWhatToDo) {
  const ProgramResult status = home.run({"status", "--failing", "--exit-code"});
  EXPECT_EQ(status.status, 74);
  EXPECT_THAT(status.out, AllOf(HasSubstr("home: needs_operator"), HasSubstr("suspended: the disk failed\n"), HasSubstr("look at the disk"),
                                HasSubstr("`popsync sync home`")));
  EXPECT_EQ(in_status("accounts[0].state"), "needs_operator");
  EXPECT_EQ(in_status("accounts[0].suspended"), "the disk failed");
}

TEST_F(SuspendedMailstore, CheckTellsWhyAndWhatToDoAndDoesNotEndIt) {
  for (int time = 0; time < 2; ++time) {
    const ProgramResult check = home.run({"check"});
    EXPECT_EQ(check.status, 74) << check.out;
    EXPECT_THAT(check.out, AllOf(HasSubstr("suspended: the disk failed"), HasSubstr("look at the disk"), HasSubstr("`popsync sync home`")));
  }
}

TEST_F(SuspendedMailstore, WhatTheyTellToDoEndsIt) {
  server.add(message_with_id("two"));
  EXPECT_EQ(home.run({"sync", "home"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_EQ(in_status("accounts[0].suspended"), "null");
  EXPECT_THAT(home.run({"status"}).out, AllOf(HasSubstr("home: ok"), Not(HasSubstr("suspended"))));
  EXPECT_EQ(home.run({"check"}).status, 0);
}

// What lies below `folder` is on it, and nothing else.
class DiskOfItsOwn : public FailingFs {
 public:
  std::string folder;

  std::optional<FileStat> stat(int dir, const std::string& name) override {
    auto found = FailingFs::stat(dir, name);
    const std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(dir)).string() + "/";
    if (found && path.starts_with(folder + "/")) found->device = kDevice;
    return found;
  }

 private:
  static constexpr std::uint64_t kDevice = ~0ULL;
};

struct OneDiskOfTwo : testing::Test {
  OneDiskOfTwo() {
    server.add_user("bob", MaildropServer::kPassword);
    popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
    disk.folder = popsync.maildir();
    alice = bob = popsync.settings;
    bob.name = bob.login.user = "bob";
    bob.mailstore.path += "-of-bob";
    mail_comes();
    EXPECT_EQ(sync_alice().fetched, 1U);
    EXPECT_EQ(sync_bob().fetched, 1U);
    mail_comes();
  }
  void mail_comes() {
    server.add(message_with_id("for alice " + std::to_string(++mails)));
    server.add_to("bob", message_with_id("for bob " + std::to_string(mails)));
  }
  sync::SyncReport sync_alice() {
    popsync.fs = &disk;
    popsync.settings = alice;
    return popsync.sync();
  }
  sync::SyncReport sync_bob() {
    popsync.fs = &real_fs();
    popsync.settings = bob;
    return popsync.sync();
  }
  void expect_that_bob_goes_on() {
    const sync::SyncReport report = sync_bob();
    EXPECT_FALSE(report.error) << report.error->what();
    EXPECT_EQ(report.fetched, 1U);
    EXPECT_EQ(messages_in(bob.mailstore.path).size(), 2U);
    EXPECT_EQ(server.count("bob"), 0U);
    EXPECT_EQ(server.count(), 1U) << "what is not safe here stays there";
  }
  void expect_that_alice_goes_on() {
    const sync::SyncReport report = sync_alice();
    EXPECT_FALSE(report.error) << report.error->what();
    EXPECT_EQ(messages_in(alice.mailstore.path).size(), 2U);
    EXPECT_EQ(server.count(), 0U);
    EXPECT_EQ(server.record().count("RETR"), 4U) << "nothing was fetched twice";
  }

  MaildropServer server;
  SyncInProcess popsync{server};
  DiskOfItsOwn disk;
  sync::AccountSettings alice;
  sync::AccountSettings bob;
  int mails = 0;
};

TEST_F(OneDiskOfTwo, FailsAndTheAccountOnTheOtherGoesOn) {
  disk.before_rename = [&](const std::string& /*to*/) { disk.unsyncable = {"new"}; };
  EXPECT_EQ(sync_alice().error->code(), ErrorCode::io_error);
  EXPECT_NE(popsync.store().mailstores().at(0).suspended, "");
  EXPECT_EQ(popsync.store().mailstores().at(1).suspended, "");
  expect_that_bob_goes_on();
  EXPECT_NE(popsync.store().mailstores().at(0).suspended, "") << "that the other disk works proves nothing";
  disk.before_rename = [](const std::string& /*to*/) {};
  disk.unsyncable.clear();
  expect_that_alice_goes_on();
  EXPECT_EQ(popsync.store().mailstores().at(0).suspended, "");
}

TEST_F(OneDiskOfTwo, IsFullAndTheAccountOnTheOtherGoesOn) {
  disk.full = {"new"};
  disk.code = ErrorCode::disk_full;
  EXPECT_EQ(sync_alice().error->code(), ErrorCode::disk_full);
  expect_that_bob_goes_on();
  disk.full.clear();
  expect_that_alice_goes_on();
}

}  // namespace
}  // namespace popsync::test
