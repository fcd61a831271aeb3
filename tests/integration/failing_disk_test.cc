// SPDX-License-Identifier: MIT
// Whole sessions on a disk that fails to sync or is full: what the server is told, and what is there in the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/transaction.h"
#include "support/failing_fs.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

struct FailingDisk : testing::Test {
  FailingDisk() {
    for (int i = 0; i < 6; ++i) server.add(message_with_id("message " + std::to_string(i)));
    all = as_stored(server.messages());
    popsync.fs = &disk;
    popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  }
  void expect_refused(const sync::SyncReport& report, ErrorCode code) {
    ASSERT_TRUE(report.error.has_value());
    EXPECT_EQ(report.error->code(), code) << report.error->what();
    EXPECT_EQ(server.record().count("DELE"), 0U);
    EXPECT_EQ(server.record().count("QUIT"), 0U);
    EXPECT_EQ(server.count(), 6U);
  }
  void expect_whole_after(const sync::SyncReport& report) {
    EXPECT_EQ(report.result, sync::SyncResult::ok) << (report.error ? report.error->what() : "");
    EXPECT_EQ(messages_in(popsync.maildir()), all);
    EXPECT_EQ(server.count(), 0U);
  }

  MaildropServer server;
  SyncInProcess popsync{server};
  FailingFs disk;
  std::vector<std::string> all;
};

TEST_F(FailingDisk, AFolderThatCannotBeSyncedStopsBeforeTheServerIsToldAnything) {
  // Only with messages on their way: the new Maildir has been proven to rename and sync by then.
  disk.before_rename = [&](const std::string& /*to*/) {
    if (server.record().count("RETR") > 0) disk.unsyncable = {"new"};
  };
  expect_refused(popsync.sync(), ErrorCode::io_error);
  disk.before_rename = [](const std::string& /*to*/) {};
  expect_refused(popsync.sync(), ErrorCode::io_error);
  EXPECT_EQ(server.record().count("RETR"), 6U) << "a suspended mailstore asks no server for mail";
  disk.unsyncable.clear();
  expect_whole_after(popsync.sync());
  EXPECT_EQ(server.record().count("RETR"), 6U) << "nothing was fetched twice";
}

TEST_F(FailingDisk, AnAccountOnTheSameDiskSaysNeitherDeleNorQuit) {
  ASSERT_FALSE(popsync.sync().error);
  server.clear_record();
  for (int i = 0; i < 6; ++i) server.add(message_with_id("later " + std::to_string(i)));
  // As if another account had found the disk failing while this one fetched.
  disk.before_rename = [&](const std::string& to) {
    if (to.starts_with("gen.")) popsync.store().suspend({popsync.store().mailstores().at(0).id}, "the disk failed");
  };
  expect_refused(popsync.sync(), ErrorCode::io_error);
  disk.before_rename = [](const std::string& /*to*/) {};
  EXPECT_EQ(popsync.sync().deleted, 6U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 12U);
}

TEST_F(FailingDisk, AFullDiskHoldsTheAccountUntilThereIsRoom) {
  popsync.settings.min_free_space = 64U << 20U;
  disk.free = 1U << 20U;
  expect_refused(popsync.sync(), ErrorCode::disk_full);
  EXPECT_EQ(server.record().count("USER"), 0U) << "no server is asked before there is room";
  disk.free = 1U << 30U;
  expect_whole_after(popsync.sync());
}

TEST_F(FailingDisk, AFolderWithoutRoomForANameIsFinishedWhenThereIsRoom) {
  popsync.sync();  // the Maildir is made
  for (const auto& octets : std::vector<std::string>(6, message_with_id("one more"))) server.add(octets);
  all = messages_in(popsync.maildir());
  server.clear_record();
  disk.full = {"new"};
  disk.code = ErrorCode::disk_full;
  expect_refused(popsync.sync(), ErrorCode::disk_full);
  disk.full.clear();
  const sync::SyncReport report = popsync.sync();
  EXPECT_EQ(report.recovered, 6U);
  EXPECT_EQ(server.record().count("RETR"), 6U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 12U);
}

TEST_F(FailingDisk, AFileSystemThatCannotSyncFoldersIsRefusedWhereMailIsDeleted) {
  disk.directories_sync = false;
  expect_refused(popsync.sync(), ErrorCode::configuration);
  popsync.leave({.kind = sync::LeavePolicy::Kind::keep, .age = {}}, "keep");
  EXPECT_FALSE(popsync.sync().error);
  EXPECT_EQ(messages_in(popsync.maildir()), all);
}

}  // namespace
}  // namespace popsync::test
