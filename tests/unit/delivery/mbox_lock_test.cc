// SPDX-License-Identifier: MIT
#include "delivery/mbox_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <lockfile.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/fs.h"
#include "unit/config/temp_folder.h"

namespace popsync::delivery {
namespace {

constexpr MboxLockKinds kAll = {.dot_lock = true, .flock = true};
constexpr uid_t kNobody = 65534;
constexpr MboxLockKinds kFcntlOnly = {.dot_lock = false, .flock = false};

class MboxLockTest : public testing::Test {
 protected:
  MboxLockTest() : root_(std::move(*real_fs().open_root(folder_.path()))), file_(open()) {}

  UniqueFd open() { return real_fs().open_append(root_.get(), "mbox"); }
  std::optional<MboxLock> take(const UniqueFd& fd, const MboxLockKinds& kinds = {}) {
    return MboxLock::try_take(fd.get(), root_.get(), path("mbox"), kinds);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  [[nodiscard]] bool dot_lock_exists() const { return std::filesystem::exists(path("mbox.lock")); }

  config::TempFolder folder_;
  UniqueFd root_;
  UniqueFd file_;
};

// A classic lock, of another process, as mutt and procmail take it.
bool another_process_can_lock(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(path.c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    ::_exit(::fcntl(fd, F_SETLK, &lock) == 0 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST_F(MboxLockTest, WhileHeldAllKindsOfLocksKeepOthersOut) {
  const UniqueFd second = open();
  {
    const auto lock = take(file_, kAll);
    ASSERT_TRUE(lock);
    EXPECT_FALSE(another_process_can_lock(path("mbox")));
    EXPECT_EQ(lockfile_check(path("mbox.lock").c_str(), L_PID), 0);
    EXPECT_EQ(config::content_of(path("mbox.lock")), std::to_string(::getpid()) + "\n");
    EXPECT_NE(::flock(second.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_FALSE(take(second)) << "another thread of ours";
  }
  EXPECT_TRUE(another_process_can_lock(path("mbox")));
  EXPECT_FALSE(dot_lock_exists());
  EXPECT_EQ(::flock(second.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(MboxLockTest, WithoutOneOfThemAllAreReleased) {
  folder_.write("mbox.lock", std::to_string(::getpid()) + "\n");
  EXPECT_FALSE(take(file_, kAll));
  EXPECT_TRUE(another_process_can_lock(path("mbox")));
  EXPECT_TRUE(dot_lock_exists()) << "it is another's";
  std::filesystem::remove(path("mbox.lock"));
  const UniqueFd second = open();
  ASSERT_EQ(::flock(second.get(), LOCK_EX), 0);
  EXPECT_FALSE(take(file_, kAll));
  EXPECT_FALSE(dot_lock_exists());
  EXPECT_TRUE(another_process_can_lock(path("mbox")));
}

TEST_F(MboxLockTest, ADotLockOfADeadProcessIsTakenOver) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  folder_.write("mbox.lock", std::to_string(child) + "\n");
  EXPECT_TRUE(take(file_));
}

TEST_F(MboxLockTest, ADotLockOlderThanFiveMinutesIsTakenOverWhoeverHasItsProcessId) {
  const std::string lock = folder_.write("mbox.lock", std::to_string(::getpid()) + "\n");
  const utimbuf old = {.actime = ::time(nullptr) - 301, .modtime = ::time(nullptr) - 301};
  ASSERT_EQ(::utime(lock.c_str(), &old), 0);
  EXPECT_TRUE(take(file_));
}

TEST_F(MboxLockTest, WhatIsNotConfiguredIsNotTaken) {
  const auto lock = take(file_, kFcntlOnly);
  ASSERT_TRUE(lock);
  EXPECT_FALSE(dot_lock_exists());
  const UniqueFd second = open();
  EXPECT_EQ(::flock(second.get(), LOCK_EX | LOCK_NB), 0);
}

// A lock in the folder that has taken its place would keep nobody out.
TEST_F(MboxLockTest, InAFolderThatWasReplacedItIsRefusedAndNothingIsMade) {
  namespace stdfs = std::filesystem;
  stdfs::create_directory(path("Mail"));
  const UniqueFd folder = std::move(*real_fs().open_root(path("Mail")));
  const UniqueFd file = real_fs().open_append(folder.get(), "mbox");
  stdfs::rename(path("Mail"), path("Mail.away"));
  const auto take_it = [&] { return MboxLock::try_take(file.get(), folder.get(), path("Mail/mbox"), kAll); };
  EXPECT_THROW(take_it(), Error) << "gone";
  stdfs::create_directory(path("Mail"));
  EXPECT_THROW(take_it(), Error) << "replaced";
  EXPECT_TRUE(stdfs::is_empty(path("Mail")));
  EXPECT_FALSE(stdfs::exists(path("Mail.away/mbox.lock")));
  EXPECT_TRUE(another_process_can_lock(path("Mail.away/mbox")));
}

TEST_F(MboxLockTest, ItIsRemovedInTheFolderInWhichItWasMade) {
  namespace stdfs = std::filesystem;
  stdfs::create_directory(path("Mail"));
  const UniqueFd folder = std::move(*real_fs().open_root(path("Mail")));
  const UniqueFd file = real_fs().open_append(folder.get(), "mbox");
  {
    const auto lock = MboxLock::try_take(file.get(), folder.get(), path("Mail/mbox"), kAll);
    ASSERT_TRUE(lock);
    ASSERT_TRUE(stdfs::exists(path("Mail/mbox.lock")));
    stdfs::rename(path("Mail"), path("Mail.away"));
    folder_.write("Mail/mbox.lock", "another's\n");
  }
  EXPECT_FALSE(stdfs::exists(path("Mail.away/mbox.lock")));
  EXPECT_TRUE(stdfs::exists(path("Mail/mbox.lock")));
}

TEST_F(MboxLockTest, AFolderThatCannotBeWrittenDoesWithFcntl) {
  EXPECT_TRUE(can_dot_lock(root_.get()));
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  const bool root = ::geteuid() == 0;
  ASSERT_TRUE(!root || ::seteuid(kNobody) == 0);
  EXPECT_FALSE(can_dot_lock(root_.get()));
  EXPECT_TRUE(take(file_));
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
}

}  // namespace
}  // namespace popsync::delivery
