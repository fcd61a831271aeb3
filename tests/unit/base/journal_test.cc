// SPDX-License-Identifier: MIT
#include "base/journal.h"

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "base/fs.h"
#include "unit/config/temp_folder.h"

namespace popsync {
namespace {

constexpr std::uint64_t kId = 4711;

// /sys with a disk 8:1, as the kernel shows it.
struct JournalsTest : testing::Test {
  void SetUp() override {
    std::filesystem::create_directories(folder.path() + "/dev/block");
    std::filesystem::create_directory_symlink("../../devices/pci0000:00/block/sda/sda1", folder.path() + "/dev/block/8:1");
    std::filesystem::create_directories(folder.path() + "/fs/ext4/sda1");
  }
  void tell(const std::string& task) { folder.write("fs/ext4/sda1/journal_task", task); }

  config::TempFolder folder;
  Journals journals{folder.path()};
  std::uint64_t disk = makedev(8, 1);
};

TEST_F(JournalsTest, NoThreadThatWritesItMeansNoJournal) {
  tell("<none>\n");
  EXPECT_TRUE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId));
}

TEST_F(JournalsTest, AThreadThatWritesItMeansAJournal) {
  tell("423\n");
  EXPECT_FALSE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId));
}

TEST_F(JournalsTest, InDoubtThereIsNone) {
  EXPECT_TRUE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId)) << "the kernel tells nothing of this file system";
  EXPECT_TRUE(journals.missing_on(EXT4_SUPER_MAGIC, makedev(8, 2), kId)) << "nor of this disk";
  tell("");
  EXPECT_TRUE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId + 1));
}

TEST_F(JournalsTest, OtherFileSystemsAreNotAskedFor) {
  tell("<none>\n");
  for (const std::uint64_t type : std::initializer_list<std::uint64_t>{TMPFS_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, NFS_SUPER_MAGIC}) {
    EXPECT_FALSE(journals.missing_on(type, disk, kId));
  }
}

TEST_F(JournalsTest, TheVerdictIsKeptForTheFileSystemAndNotForTheDevice) {
  tell("423\n");
  EXPECT_FALSE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId));
  tell("<none>\n");
  EXPECT_FALSE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId));
  EXPECT_TRUE(journals.missing_on(EXT4_SUPER_MAGIC, disk, kId + 1)) << "another file system under the number of the old one";
}

TEST_F(JournalsTest, AnOpenFolderIsJudgedByItsFileSystem) {
  const auto proc = real_fs().open_root("/proc");
  ASSERT_TRUE(proc.has_value());
  EXPECT_FALSE(real_fs().lacks_journal(proc->get()));
  EXPECT_NO_THROW(real_fs().complete_syncs(proc->get()));
}

}  // namespace
}  // namespace popsync
