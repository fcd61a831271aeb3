// SPDX-License-Identifier: MIT
// A disk that fails to sync or is full, below the publisher and the recovery.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "state/transaction.h"
#include "support/failing_fs.h"
#include "sync/free_space.h"
#include "sync/publisher.h"
#include "sync/recovery.h"
#include "sync/suspension.h"
#include "unit/config/temp_folder.h"

namespace popsync::sync {
namespace {

using test::FailingFs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;
namespace stdfs = std::filesystem;

constexpr const char* kAccount = "0123456789abcdef";
constexpr const char* kOther = "fedcba9876543210";

class FailingDiskTest : public testing::Test {
 protected:
  FailingDiskTest() : store_(state::StateStore::open(folder_.path() + "/state")) {
    testing::internal::CaptureStderr();
    account_.id = kAccount;
    account_.name = "work";
    account_.host = "pop.example.org";
    account_.user = "me";
    state::AccountRow other = account_;
    other.id = kOther;
    other.name = "home";
    other.user = "you";
    auto transaction = store_->begin();
    transaction.insert_account(account_);
    transaction.insert_account(other);
    transaction.commit();
    (void)open_mailstore(*store_, fs_, other, {.path = folder_.path() + "/Mail/home"});
    reopen();
  }
  ~FailingDiskTest() override { testing::internal::GetCapturedStderr(); }

  void reopen() {
    mailstore_.reset();
    mailstore_.emplace(open_mailstore(*store_, fs_, account_, {.path = path_}));
  }

  // One session's publishing of messages with these names, each its own content.
  std::optional<Error> publish(const std::vector<std::string>& names) {
    reopen();
    try {
      Publisher publisher(*store_, clock_, account_, *mailstore_, never_);
      Batch batch;
      for (const std::string& name : names) {
        auto message = mailstore_->maildir->staging().begin(name);
        message->write("message " + name);
        message->finish();
        message->start_sync(pool_);
        batch.push_back({.message = std::move(message), .listed = {.number = {1}, .uid = {name}, .list_size = 10}, .suspect = false, .replaces = {}});
      }
      publisher.submit(std::move(batch));
      while (!publisher.finish(std::chrono::seconds(1))) {
      }
      return std::nullopt;
    } catch (const Error& error) {
      return error;
    }
  }

  // As the next session begins.
  std::optional<Error> recover() {
    try {
      reopen();
      sync::recover(*store_, fs_, clock_, account_, &*mailstore_, never_);
      return std::nullopt;
    } catch (const Error& error) {
      return error;
    }
  }

  [[nodiscard]] std::map<std::string, std::string> mail() const {
    std::map<std::string, std::string> found;
    for (const char* folder : {"new", "cur"}) {
      for (const auto& entry : stdfs::directory_iterator(path_ + "/" + folder)) {
        found.emplace(std::string(folder) + "/" + entry.path().filename().string(), config::content_of(entry.path()));
      }
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> staged() { return mailstore_->maildir->staging().names(); }
  // uid -> state and whether it may be deleted on the server
  [[nodiscard]] std::map<std::string, std::pair<state::RowState, bool>> rows() {
    std::map<std::string, std::pair<state::RowState, bool>> found;
    for (const state::MessageRow& row : store_->messages(kAccount)) found[row.uid.octets] = {row.state, row.removable};
    return found;
  }
  [[nodiscard]] state::MailstoreRow stored() { return store_->mailstores(kAccount).at(0); }
  [[nodiscard]] std::uint64_t inode_of(const std::string& below) const {
    struct stat found {};
    EXPECT_EQ(::stat((path_ + "/" + below).c_str(), &found), 0) << below;
    return found.st_ino;
  }
  void fail_new_once() {
    fs_.unsyncable = {"new"};
    const auto error = publish({"a", "b"});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::io_error);
    fs_.unsyncable.clear();
  }

  const std::pair<state::RowState, bool> kStored{state::RowState::published, true};
  const std::pair<state::RowState, bool> kStaged{state::RowState::staged, false};

  config::TempFolder folder_;
  std::string path_ = folder_.path() + "/Mail/work";
  std::unique_ptr<state::StateStore> store_;
  ManualClock clock_;
  const StopSignal never_{std::stop_token()};
  FailingFs fs_;
  delivery::SyncPool pool_{0};
  state::AccountRow account_;
  std::optional<OpenMailstore> mailstore_;
};

// ---- a message's own file

TEST_F(FailingDiskTest, AMessageThatCannotBeSyncedIsRemovedAndTheOthersOfItsBatchAreStored) {
  fs_.unsyncable = {"b"};
  const auto error = publish({"a", "b", "c"});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::io_error);
  EXPECT_THAT(error->hint(), HasSubstr("into a new file"));
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored), Pair("c", kStored)));
  EXPECT_THAT(mail(), ElementsAre(Pair("new/a", "message a"), Pair("new/c", "message c")));
  EXPECT_THAT(staged(), IsEmpty());
  EXPECT_EQ(stored().suspended, "");
  EXPECT_EQ(stored().sync_failures, 1U);
}

TEST_F(FailingDiskTest, TheSecondSessionInARowThatCannotSyncAMessageSuspends) {
  fs_.unsyncable = {"a", "b", "c", "d"};
  publish({"a"});
  publish({"good"});
  publish({"b"});
  EXPECT_EQ(stored().suspended, "");
  const auto error = publish({"c", "d"});
  ASSERT_TRUE(error);
  EXPECT_THAT(error->message(), HasSubstr("mailstore suspended"));
  EXPECT_THAT(error->hint(), HasSubstr("popsync sync work"));
  EXPECT_NE(stored().suspended, "");
  EXPECT_THAT(rows(), ElementsAre(Pair("good", kStored)));
}

TEST_F(FailingDiskTest, ASyncWithoutSpaceIsAFullDiskAndNoFailingOne) {
  fs_.unsyncable = {"b"};
  fs_.code = ErrorCode::disk_full;
  EXPECT_EQ(publish({"a", "b"})->code(), ErrorCode::disk_full);
  EXPECT_EQ(publish({"b"})->code(), ErrorCode::disk_full);
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored)));
  EXPECT_THAT(staged(), IsEmpty());
  EXPECT_EQ(stored().sync_failures, 0U);
  EXPECT_EQ(stored().suspended, "");
}

// ---- a folder

TEST_F(FailingDiskTest, AStagingFolderThatCannotBeSyncedSuspendsAndNothingIsRecorded) {
  fs_.unsyncable = {stdfs::read_symlink("/proc/self/fd/" + std::to_string(mailstore_->maildir->staging().dir())).filename().string()};
  const auto error = publish({"a"});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::io_error);
  EXPECT_NE(stored().suspended, "");
  EXPECT_THAT(rows(), IsEmpty());
  EXPECT_THAT(mail(), IsEmpty());
  EXPECT_THAT(staged(), IsEmpty());
}

TEST_F(FailingDiskTest, AFolderThatCannotBeSyncedSuspendsEveryMailstoreOnTheDisk) {
  fail_new_once();
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStaged), Pair("b", kStaged)));
  EXPECT_THAT(stored().suspended, HasSubstr("failed to sync"));
  EXPECT_NE(store_->mailstores(kOther).at(0).suspended, "");
  EXPECT_THROW(refuse_suspended(*store_, account_, *mailstore_), Error);
}

TEST_F(FailingDiskTest, RecoveryCopiesWhatIsInDoubtToFreshFilesAndEndsTheSuspension) {
  fail_new_once();
  stdfs::rename(path_ + "/new/b", path_ + "/cur/b:2,S");
  const auto before = std::pair(inode_of("new/a"), inode_of("cur/b:2,S"));
  EXPECT_FALSE(recover());
  EXPECT_THAT(mail(), ElementsAre(Pair("cur/b:2,S", "message b"), Pair("new/a", "message a")));
  EXPECT_NE(inode_of("new/a"), before.first);
  EXPECT_NE(inode_of("cur/b:2,S"), before.second);
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored), Pair("b", kStored)));
  EXPECT_EQ(stored().suspended, "");
  EXPECT_THAT(staged(), IsEmpty());
  EXPECT_TRUE(mailstore_->maildir->staging().trusts_disk());
  EXPECT_NO_THROW(refuse_suspended(*store_, account_, *mailstore_));
  EXPECT_FALSE(publish({"c"}));
  EXPECT_NE(store_->mailstores(kOther).at(0).suspended, "") << "the other account looks for itself";
}

TEST_F(FailingDiskTest, WhatIsStillStagedIsCopiedToo) {
  fs_.full = {"new"};
  publish({"a"});  // stays in staging
  fs_.full.clear();
  store_->suspend({mailstore_->row.id}, "another account found it");
  const auto before = stdfs::read_symlink("/proc/self/fd/" + std::to_string(mailstore_->maildir->staging().dir()));
  struct stat staged_file {};
  ASSERT_EQ(::stat((before / "a").c_str(), &staged_file), 0);
  EXPECT_FALSE(recover());
  EXPECT_NE(inode_of("new/a"), staged_file.st_ino);
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored)));
}

TEST_F(FailingDiskTest, ADiskThatStillFailsStaysSuspended) {
  fail_new_once();
  for (const char* part : {"new", "cur", "a.copy", "probe"}) {
    fs_.unsyncable = {part};
    const auto error = recover();
    ASSERT_TRUE(error) << part;
    EXPECT_EQ(error->code(), ErrorCode::io_error);
    EXPECT_NE(stored().suspended, "") << part;
    EXPECT_EQ(mail().size(), 2U) << part;
  }
  fs_.unsyncable.clear();
  EXPECT_FALSE(recover());
  EXPECT_EQ(stored().suspended, "");
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored), Pair("b", kStored)));
}

TEST_F(FailingDiskTest, WithNothingInDoubtASuspensionEndsOnceTheDiskSyncs) {
  publish({"a"});
  const auto before = inode_of("new/a");
  store_->suspend({mailstore_->row.id}, "another account found it");
  fs_.unsyncable = {"probe"};
  EXPECT_TRUE(recover());
  fs_.unsyncable.clear();
  EXPECT_FALSE(recover());
  EXPECT_EQ(stored().suspended, "");
  EXPECT_EQ(inode_of("new/a"), before);
}

TEST_F(FailingDiskTest, AFolderThatWasNeverTrustedIsTrustedWithoutAWord) {
  publish({"a"});
  mailstore_->maildir->staging().distrust_disk();
  const auto told_by_recovery = [this] {
    (void)testing::internal::GetCapturedStderr();
    testing::internal::CaptureStderr();
    EXPECT_FALSE(recover());
    std::string told = testing::internal::GetCapturedStderr();
    testing::internal::CaptureStderr();
    return told;
  };
  EXPECT_EQ(told_by_recovery(), "");
  EXPECT_TRUE(mailstore_->maildir->staging().trusts_disk());
  store_->suspend({mailstore_->row.id}, "its disk failed");
  EXPECT_THAT(told_by_recovery(), HasSubstr("the suspension is over"));
}

// The state's disk may be the failing one; then its COMMIT ends the process before the suspension is recorded.
TEST_F(FailingDiskTest, TheMarkInStagingMakesRecoveryCopyThoughTheStateNeverHeard) {
  fail_new_once();
  auto transaction = store_->begin();
  transaction.resume(mailstore_->row.id);
  transaction.commit();
  const auto before = inode_of("new/a");
  EXPECT_FALSE(recover());
  EXPECT_NE(inode_of("new/a"), before);
  EXPECT_TRUE(mailstore_->maildir->staging().trusts_disk());
}

TEST_F(FailingDiskTest, AStoredFileThatTheDiskDamagedIsFetchedAgain) {
  fail_new_once();
  folder_.write("Mail/work/new/a", std::string(9, '\0'));
  EXPECT_FALSE(recover());
  EXPECT_THAT(rows(), ElementsAre(Pair("b", kStored)));
  EXPECT_THAT(mail(), ElementsAre(Pair("new/a", std::string(9, '\0')), Pair("new/b", "message b")));
}

TEST_F(FailingDiskTest, AReaderThatMovesAMessageWhileItIsCopiedKeepsTheOnlyOne) {
  fail_new_once();
  const auto staging = stdfs::read_symlink("/proc/self/fd/" + std::to_string(mailstore_->maildir->staging().dir()));
  bool moved = false;
  fs_.before_rename = [&](const std::string& to) {
    if (to != "a" || std::exchange(moved, true)) return;
    stdfs::rename(path_ + "/new/a", path_ + "/cur/a:2,S");
  };
  EXPECT_FALSE(recover());
  EXPECT_TRUE(moved);
  EXPECT_THAT(mail(), ElementsAre(Pair("cur/a:2,S", "message a"), Pair("new/b", "message b")));
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored), Pair("b", kStored)));
  EXPECT_THAT(staged(), IsEmpty());
}

TEST_F(FailingDiskTest, AReaderThatDeletesAMessageWhileItIsCopiedDoesNotGetItBack) {
  fail_new_once();
  fs_.before_rename = [&](const std::string& to) {
    if (to == "a") stdfs::remove(path_ + "/new/a");
  };
  EXPECT_FALSE(recover());
  EXPECT_THAT(mail(), ElementsAre(Pair("new/b", "message b")));
  EXPECT_FALSE(rows().at("a").second) << "never deleted on the server";
}

// ---- a full disk

TEST_F(FailingDiskTest, AFolderWithoutRoomForANameLeavesTheRowsForRecovery) {
  fs_.full = {"new"};
  fs_.code = ErrorCode::disk_full;
  EXPECT_EQ(publish({"a", "b"})->code(), ErrorCode::disk_full);
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStaged), Pair("b", kStaged)));
  EXPECT_EQ(stored().suspended, "");
  EXPECT_EQ(recover()->code(), ErrorCode::disk_full);
  fs_.full.clear();
  EXPECT_FALSE(recover());
  EXPECT_THAT(rows(), ElementsAre(Pair("a", kStored), Pair("b", kStored)));
  EXPECT_EQ(mail().size(), 2U);
}

TEST_F(FailingDiskTest, LeftoversAreRemovedBeforeAnythingIsPublishedOnAFullDisk) {
  fs_.full = {"new"};
  fs_.code = ErrorCode::disk_full;
  publish({"a"});
  const auto orphan = mailstore_->maildir->staging().begin("orphan");
  orphan->keep();
  EXPECT_EQ(recover()->code(), ErrorCode::disk_full);
  EXPECT_THAT(staged(), ElementsAre("a"));
}

TEST_F(FailingDiskTest, SoMuchIsLeftFreeAsTheFloorSays) {
  fs_.free = 1000;
  FreeSpace space(fs_, store_->directory(), 900);
  EXPECT_NO_THROW(space.need(&*mailstore_, 100));
  EXPECT_THROW(space.need(&*mailstore_, 101), Error);
  EXPECT_THROW(space.need(&*mailstore_, std::numeric_limits<std::uint64_t>::max()), Error);
  EXPECT_NO_THROW(space.need(nullptr, 0));
  fs_.free = 899;
  try {
    space.need(nullptr, 0);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::disk_full);
    EXPECT_THAT(error.message(), HasSubstr(store_->directory()));
  }
  EXPECT_NO_THROW(FreeSpace(fs_, store_->directory(), 0).need(&*mailstore_, 5000));
}

TEST_F(FailingDiskTest, TheSpaceIsLookedAtAgainWhileMessagesCome) {
  FreeSpace space(fs_, store_->directory(), 1000);
  space.expect(*mailstore_, 10);
  fs_.free = 10;
  EXPECT_NO_THROW(space.expect(*mailstore_, kLookEveryOctets - 1));
  EXPECT_THROW(space.expect(*mailstore_, 1), Error);
}

// ---- folders that cannot be synced at all

TEST_F(FailingDiskTest, NothingMayBeDeletedForAFileSystemThatCannotSyncFolders) {
  EXPECT_NO_THROW(refuse_undurable_deletion(*store_, account_, *mailstore_));
  fs_.directories_sync = false;
  try {
    refuse_undurable_deletion(*store_, account_, *mailstore_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::configuration);
    EXPECT_THAT(error.hint(), HasSubstr("leave_on_server = true"));
  }
  EXPECT_EQ(stored().suspended, "");
}

}  // namespace
}  // namespace popsync::sync
