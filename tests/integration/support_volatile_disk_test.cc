// SPDX-License-Identifier: MIT
// The crash tests are worth what the simulated disk is worth: what it forgets in a power cut, and what it keeps.
#include "support/volatile_disk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "base/folders.h"
#include "base/fs.h"
#include "support/faulty_fs.h"
#include "support/folder_content.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

namespace stdfs = std::filesystem;

class VolatileDiskTest : public testing::Test {
 protected:
  // Another process on the same machine: what the last one did not sync is known to it.
  void restart() {
    if (machine_) machine_->disk()->save();
    begin();
  }
  void begin() {
    machine_ = std::make_unique<Machine>(FaultPlan{}, folder_ / "attic", [] {});
    fs_ = std::make_unique<FaultyFs>(*machine_);
  }
  void put(const std::string& name, const std::string& octets, bool synced) {
    UniqueFd fd = fs_->create(a_.get(), name);
    fs_->write(fd.get(), octets);
    if (synced) fs_->sync_file(fd.get());
  }
  void append(const std::string& name, const std::string& octets) { fs_->write(fs_->open_append(a_.get(), name).get(), octets); }
  void cut_power(std::uint64_t seed = 0) { machine_->disk()->cut_power(seed); }
  // The machine's disk lacks a journal from now on.
  void take_journal_away() {
    machine_ = std::make_unique<Machine>(FaultPlan{.without_journal = true}, folder_ / "attic", [] {});
    fs_ = std::make_unique<FaultyFs>(*machine_);
  }
  [[nodiscard]] std::string octets_of(const std::string& name) const { return content_of(folder_ / ("a/" + name)); }
  [[nodiscard]] bool exists(const std::string& path) const { return stdfs::exists(folder_ / path); }

  TempFolder folder_{"disk"};
  std::unique_ptr<Machine> machine_ = std::make_unique<Machine>(FaultPlan{}, folder_ / "attic", [] {});
  std::unique_ptr<FaultyFs> fs_ = std::make_unique<FaultyFs>(*machine_);
  UniqueFd a_ = *real_fs().open_root(folder_.make("a"));
  UniqueFd b_ = *real_fs().open_root(folder_.make("b"));
};

TEST_F(VolatileDiskTest, WithoutAJournalForgetsWhatWasSyncedAlone) {
  take_journal_away();
  put("file", "octets", true);
  (void)fs_->sync_names(a_.get());
  cut_power();
  EXPECT_FALSE(exists("a/file"));
}

TEST_F(VolatileDiskTest, WithoutAJournalKeepsWhatTheWholeDiskWasSyncedBehind) {
  take_journal_away();
  put("file", "octets", true);
  fs_->sync_directory(a_.get());
  put("other", "octets", false);
  cut_power();
  EXPECT_EQ(octets_of("file"), "octets");
  EXPECT_FALSE(exists("a/other"));
}

TEST_F(VolatileDiskTest, ForgetsNamesThatWereNotSynced) {
  put("synced", "octets", true);
  fs_->sync_directory(a_.get());
  put("unsynced", "octets", true);
  cut_power();
  EXPECT_EQ(octets_of("synced"), "octets");
  EXPECT_FALSE(exists("a/unsynced"));
}

TEST_F(VolatileDiskTest, ForgetsOctetsThatWereNotSynced) {
  put("message", "octets", false);
  fs_->sync_directory(a_.get());
  cut_power();
  ASSERT_TRUE(exists("a/message"));
  EXPECT_EQ(octets_of("message"), "");
}

TEST_F(VolatileDiskTest, CutsBackToTheSyncedPart) {
  put("mbox", "first", true);
  fs_->sync_directory(a_.get());
  append("mbox", " second");
  EXPECT_EQ(octets_of("mbox"), "first second");
  cut_power();
  EXPECT_EQ(octets_of("mbox"), "first");
}

TEST_F(VolatileDiskTest, BringsBackWhatWasRemovedAndReplaced) {
  put("removed", "one", true);
  put("replaced", "two", true);
  put("new", "three", true);
  fs_->sync_directory(a_.get());
  fs_->unlink(a_.get(), "removed");
  fs_->rename(a_.get(), "new", a_.get(), "replaced");
  cut_power();
  EXPECT_EQ(octets_of("removed"), "one");
  EXPECT_EQ(octets_of("replaced"), "two");
  EXPECT_EQ(octets_of("new"), "three");
}

TEST_F(VolatileDiskTest, KeepsAMoveWhoseTargetWasSyncedAndBringsTheSourceBackToo) {
  put("message", "octets", true);
  fs_->sync_directory(a_.get());
  fs_->rename(a_.get(), "message", b_.get(), "message");
  fs_->sync_directory(b_.get());
  cut_power();
  EXPECT_TRUE(exists("b/message"));
  EXPECT_TRUE(exists("a/message")) << "without a journal each folder keeps its own last sync";
}

TEST_F(VolatileDiskTest, ForgetsAFolderWithAllInIt) {
  const UniqueFd made = make_folder(*fs_, a_.get(), "kept");
  fs_->make_directory(a_.get(), "forgotten");
  const auto forgotten = fs_->open_directory(a_.get(), "forgotten");
  fs_->close(fs_->create(forgotten->get(), "message"));
  fs_->sync_directory(forgotten->get());
  cut_power();
  EXPECT_TRUE(exists("a/kept"));
  EXPECT_FALSE(exists("a/forgotten"));
}

TEST_F(VolatileDiskTest, ASeedLeavesAPart) {
  std::set<std::size_t> left;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const char* name : {"1", "2", "3"}) put(name, "octets", true);
    cut_power(seed);
    left.insert(fs_->list(a_.get()).size());
    for (const char* name : {"1", "2", "3"}) real_fs().unlink(a_.get(), name);
  }
  EXPECT_THAT(left, testing::IsSupersetOf({0U, 1U, 2U, 3U}));
}

TEST_F(VolatileDiskTest, KnowsInTheNextProcessWhatTheLastDidNotSync) {
  put("synced", "octets", true);
  fs_->sync_directory(a_.get());
  put("name", "octets", true);
  append("synced", " more");
  fs_->rename(a_.get(), "synced", b_.get(), "moved");
  fs_->sync_directory(b_.get());
  restart();
  EXPECT_EQ(content_of(folder_ / "b/moved"), "octets more");
  cut_power();
  EXPECT_FALSE(exists("a/name"));
  EXPECT_EQ(content_of(folder_ / "b/moved"), "octets");
  EXPECT_EQ(octets_of("synced"), "octets");
}

TEST_F(VolatileDiskTest, LetsTheNextProcessSyncIt) {
  put("name", "octets", false);
  restart();
  fs_->sync_file(fs_->open_append(a_.get(), "name").get());
  fs_->sync_directory(a_.get());
  restart();
  cut_power();
  EXPECT_EQ(octets_of("name"), "octets");
}

TEST_F(VolatileDiskTest, HasNothingInDoubtAfterAPowerCut) {
  put("name", "octets", false);
  cut_power(7);
  const bool left = exists("a/name");
  const std::string octets = left ? octets_of("name") : "";
  restart();
  cut_power();
  EXPECT_EQ(exists("a/name"), left);
  EXPECT_EQ(left ? octets_of("name") : "", octets);
}

TEST_F(VolatileDiskTest, ASyncThatFailedIsMadeGoodByNewWritesOnly) {
  put("mbox", "kept ", true);
  fs_->sync_directory(a_.get());
  append("mbox", "doubtful");
  const auto fd = fs_->open_append(a_.get(), "mbox");
  machine_->disk()->file_sync_failed(fd.get());
  fs_->sync_file(fd.get());
  append("mbox", " later");
  fs_->sync_file(fd.get());
  restart();
  cut_power();
  EXPECT_EQ(octets_of("mbox"), std::string("kept ") + std::string(8, '\0') + " later");
}

TEST_F(VolatileDiskTest, ANameInDoubtIsMadeGoodByTheSameNameAnew) {
  put("message", "old", true);
  put("other", "old", true);
  machine_->disk()->directory_sync_failed(a_.get());
  fs_->sync_directory(a_.get());
  put("copy", "new", true);
  fs_->rename(a_.get(), "copy", a_.get(), "message");
  fs_->sync_directory(a_.get());
  restart();
  cut_power();
  EXPECT_EQ(octets_of("message"), "new");
  EXPECT_FALSE(exists("a/other"));
}

TEST_F(VolatileDiskTest, AFolderThatCouldNotBeSyncedIsMadeAnewByTheNext) {
  const std::string path = folder_ / "a/1/2/3";
  bool struck = true;
  std::uint64_t step = 1;
  for (; struck; ++step) {
    stdfs::remove_all(folder_ / "a/1");
    stdfs::remove_all(folder_ / "attic");
    machine_ = std::make_unique<Machine>(FaultPlan{.kind = FaultKind::dead_syncs, .step = step}, folder_ / "attic", [] {});
    fs_ = std::make_unique<FaultyFs>(*machine_);
    try {
      make_path(*fs_, path);
      struck = false;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::io_error);
    }
    restart();
    make_path(*fs_, path);
    cut_power();
    ASSERT_TRUE(stdfs::is_directory(path)) << "no sync from the " << step << "th on";
  }
  EXPECT_GT(step, 3U);
}

// Killed at any call, then started again, then without power: the path is there when make_path() has returned.
TEST_F(VolatileDiskTest, AMakerOfAPathMakesDurableWhatAKilledOneMade) {
  const std::string path = folder_ / "a/1/2/3";
  struct Killed {};
  bool struck = true;
  std::uint64_t step = 1;
  for (; struck; ++step) {
    stdfs::remove_all(folder_ / "a/1");
    stdfs::remove_all(folder_ / "attic");
    machine_ = std::make_unique<Machine>(FaultPlan{.kind = FaultKind::kill, .step = step}, folder_ / "attic", [] { throw Killed(); });
    fs_ = std::make_unique<FaultyFs>(*machine_);
    try {
      make_path(*fs_, path);
      struck = false;
    } catch (const Killed&) {
    }
    restart();
    make_path(*fs_, path);
    cut_power();
    ASSERT_TRUE(stdfs::is_directory(path)) << "killed at step " << step;
  }
  EXPECT_GT(step, 6U) << "three folders and their parents";
}

}  // namespace
}  // namespace popsync::test
