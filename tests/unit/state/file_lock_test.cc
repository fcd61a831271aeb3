// SPDX-License-Identifier: MIT
#include "state/file_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>

#include "base/error.h"
#include "state/account_lock.h"
#include "state/install.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class FileLockTest : public testing::Test {
 protected:
  FileLockTest() : path_(folder_.path() + "/lock") {}

  config::TempFolder folder_;
  std::string path_;
};

TEST_F(FileLockTest, ExcludesASecondHolderInTheSameProcess) {
  const auto first = FileLock::try_take(path_, "popsync run");
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(FileLock::try_take(path_, "popsync sync").has_value());
  bool taken_in_thread = true;
  std::jthread([&] { taken_in_thread = FileLock::try_take(path_, "popsync sync").has_value(); }).join();
  EXPECT_FALSE(taken_in_thread);
}

TEST_F(FileLockTest, IsFreeAgainWhenItsHolderLetsGo) {
  { const auto first = FileLock::try_take(path_, "popsync run"); }
  EXPECT_TRUE(FileLock::try_take(path_, "popsync sync").has_value());
}

TEST_F(FileLockTest, IsHeldByWhoeverItWasMovedTo) {
  std::optional<FileLock> kept;
  {
    auto first = FileLock::try_take(path_, "popsync run");
    kept.emplace(std::move(*first));
  }
  EXPECT_FALSE(FileLock::try_take(path_, "").has_value());
  kept.reset();
  EXPECT_TRUE(FileLock::try_take(path_, "").has_value());
}

TEST_F(FileLockTest, NamesItsHolderWhileItIsHeldAndNobodyAfter) {
  EXPECT_FALSE(lock_holder(path_).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
  const WallTime before = from_unix_seconds(to_unix_seconds(system_clock().wall()));
  {
    const auto lock = FileLock::try_take(path_, "popsync run");
    const auto holder = lock_holder(path_);
    ASSERT_TRUE(holder.has_value());
    EXPECT_EQ(holder->pid, ::getpid());
    EXPECT_EQ(holder->command, "popsync run");
    EXPECT_GE(holder->since, before);
  }
  EXPECT_FALSE(lock_holder(path_).has_value());
}

TEST_F(FileLockTest, AShorterHolderLeavesNothingOfALongerOne) {
  { const auto lock = FileLock::try_take(path_, "popsync sync with a very long name of a command"); }
  const auto lock = FileLock::try_take(path_, "popsync run");
  EXPECT_EQ(lock_holder(path_)->command, "popsync run");
}

TEST_F(FileLockTest, ANoteIsReplacedAndGoesWithItsHolder) {
  {
    const auto lock = FileLock::try_take(path_, "popsync run");
    EXPECT_EQ(lock_holder(path_)->note, "");
    lock->note("a long note of the first kind");
    EXPECT_EQ(lock_holder(path_)->note, "a long note of the first kind");
    lock->note("short");
    EXPECT_EQ(lock_holder(path_)->note, "short");
    EXPECT_EQ(lock_holder(path_)->command, "popsync run");
    EXPECT_EQ(lock_holder(path_)->pid, ::getpid());
  }
  const auto lock = FileLock::try_take(path_, "popsync run");
  EXPECT_EQ(lock_holder(path_)->note, "");
}

TEST_F(FileLockTest, AskingWhoHoldsItDisturbsNobody) {
  const auto lock = FileLock::try_take(path_, "popsync run");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(lock_holder(path_).has_value());
  EXPECT_FALSE(FileLock::try_take(path_, "").has_value());
}

TEST_F(FileLockTest, ExcludesAnotherProcessUntilThatIsKilled) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = FileLock::try_take(path_, "popsync run");
    (void)!::write(ready[1], lock ? "y" : "n", 1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_FALSE(FileLock::try_take(path_, "popsync sync").has_value());
  EXPECT_EQ(lock_holder(path_)->pid, child);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(FileLock::try_take(path_, "popsync sync").has_value());
  for (const int end : ready) ::close(end);
}

TEST_F(FileLockTest, TheFileIsForUsAlone) {
  const auto lock = FileLock::try_take(path_, "popsync run");
  struct stat found {};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

TEST_F(FileLockTest, ALinkIsNotFollowedAndAMissingFolderIsUnavailable) {
  std::filesystem::create_symlink(folder_.path() + "/elsewhere", path_);
  for (const std::string& path : {path_, folder_.path() + "/none/lock"}) {
    try {
      (void)FileLock::try_take(path, "");
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::state_unavailable);
    }
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/elsewhere"));
}

TEST_F(FileLockTest, AHolderIsDescribedForPeople) {
  EXPECT_EQ(describe({.pid = 42, .command = "popsync run", .since = from_unix_seconds(1'769'848'200)}),
            "held by popsync run, pid 42, since 2026-01-31T08:30:00Z");
  EXPECT_EQ(describe({.pid = 1, .command = "\x1b[2J", .since = {}}), "held by \\x1b[2J, pid 1, since 1970-01-01T00:00:00Z");
}

class AccountLockTest : public testing::Test {
 protected:
  AccountLockTest() { (void)prepare_install(state_); }
  FileLock lock(const std::string& account, std::chrono::milliseconds wait = 0ms) {
    return lock_account(state_, account, "popsync sync", wait, stop_);
  }

  config::TempFolder folder_;
  std::string state_ = folder_.path() + "/state";
  std::stop_source source_;
  StopSignal stop_{source_.get_token()};
};

TEST_F(AccountLockTest, TimesOutAndSaysWhoHoldsIt) {
  const FileLock held = lock("a");
  for (const auto wait : {0ms, 1ms}) {
    try {
      (void)lock("a", wait);
      ADD_FAILURE() << "taken twice";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::lock_held);
      EXPECT_THAT(error.message(), HasSubstr("held by popsync sync, pid " + std::to_string(::getpid()) + ", since "));
    }
  }
  EXPECT_EQ(account_holder(state_, "a")->command, "popsync sync");
}

TEST_F(AccountLockTest, OtherAccountsAreFree) {
  const FileLock held = lock("a");
  EXPECT_NO_THROW((void)lock("b"));
  EXPECT_FALSE(account_holder(state_, "b").has_value());
}

TEST_F(AccountLockTest, IsTakenOnceTheHolderLetsGo) {
  auto held = std::optional(lock("a"));
  std::jthread holder([&] { held.reset(); });
  EXPECT_NO_THROW((void)lock("a", 1min));
}

TEST_F(AccountLockTest, WaitingEndsAtStop) {
  const FileLock held = lock("a");
  std::jthread stopper([&] { source_.request_stop(); });
  try {
    (void)lock("a", 1h);
    ADD_FAILURE() << "taken twice";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
}

TEST_F(AccountLockTest, AFreeLockIsTakenEvenAtStop) {
  source_.request_stop();
  EXPECT_NO_THROW((void)lock("a"));
}

}  // namespace
}  // namespace popsync::state
