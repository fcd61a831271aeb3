// SPDX-License-Identifier: MIT
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "base/error.h"
#include "state/state_store.h"
#include "state/transaction.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

// SQLite's log, whose writes and syncs fail as the test says: the same table of calls with two of them replaced.
struct FaultyLog {
  static inline sqlite3_vfs* real = nullptr;
  static inline const sqlite3_io_methods* methods = nullptr;
  static inline sqlite3_io_methods faulty = {};
  static inline int write_result = SQLITE_OK;
  static inline int sync_result = SQLITE_OK;
  static inline int number = 0;
  static inline sqlite3_int64 written_up_to = 0;

  static int write(sqlite3_file* file, const void* data, int octets, sqlite3_int64 at) {
    written_up_to = std::max(written_up_to, at + octets);
    if (write_result == SQLITE_OK) return methods->xWrite(file, data, octets, at);
    errno = number;
    return write_result;
  }
  static int sync(sqlite3_file* file, int flags) { return sync_result == SQLITE_OK ? methods->xSync(file, flags) : sync_result; }
  static int open(sqlite3_vfs* /*vfs*/, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
    const int code = real->xOpen(real, name, file, flags, flags_out);
    if (code != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return code;
    methods = file->pMethods;
    faulty = *methods;
    faulty.xWrite = write;
    faulty.xSync = sync;
    file->pMethods = &faulty;
    return code;
  }
};

class CommitFailureTest : public testing::Test {
 protected:
  CommitFailureTest() {
    FaultyLog::real = sqlite3_vfs_find(nullptr);
    vfs_ = *FaultyLog::real;
    vfs_.zName = "faulty";
    vfs_.xOpen = FaultyLog::open;
    sqlite3_vfs_register(&vfs_, 1);
    store_ = StateStore::open(folder_.path() + "/state");
    add("before");
  }
  ~CommitFailureTest() override {
    heal();
    store_.reset();
    sqlite3_vfs_register(FaultyLog::real, 1);
    sqlite3_vfs_unregister(&vfs_);
  }

  static void heal() { FaultyLog::write_result = FaultyLog::sync_result = SQLITE_OK; }

  void add(const std::string& name) {
    AccountRow account;
    account.id = "id of " + name;
    account.name = name;
    auto transaction = store_->begin();
    transaction.insert_account(account);
    transaction.commit();
  }

  // The commit fails for a known reason, is not there, and the next one works.
  void expect_known(ErrorCode code) {
    try {
      add("refused");
      ADD_FAILURE() << "committed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
    }
    EXPECT_EQ(store_->accounts().size(), 1U);
    heal();
    add("after");
    store_.reset();
    store_ = StateStore::open(folder_.path() + "/state");
    EXPECT_THAT(store_->accounts(), testing::ElementsAre(testing::Field(&AccountRow::name, "after"), testing::Field(&AccountRow::name, "before")));
  }

  config::TempFolder folder_;
  sqlite3_vfs vfs_{};
  std::unique_ptr<StateStore> store_;
};

TEST_F(CommitFailureTest, AFullDiskIsKnownAndNothingWasCommitted) {
  FaultyLog::write_result = SQLITE_FULL;
  expect_known(ErrorCode::disk_full);
}

TEST_F(CommitFailureTest, AnExceededQuotaIsAFullDisk) {
  FaultyLog::write_result = SQLITE_IOERR_WRITE;
  FaultyLog::number = EDQUOT;
  expect_known(ErrorCode::disk_full);
}

TEST_F(CommitFailureTest, ABusyDatabaseIsKnownAndNothingWasCommitted) {
  FaultyLog::write_result = SQLITE_BUSY;
  expect_known(ErrorCode::lock_held);
}

using CommitFailureDeathTest = CommitFailureTest;

TEST_F(CommitFailureDeathTest, AFailedSyncEndsTheProcessAtOnce) {
  const auto commit = [&] {
    FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
    add("doubtful");
  };
  EXPECT_EXIT(commit(), testing::ExitedWithCode(74), "outcome is unknown");
}

// The log reads as if it were on the disk. A power cut while it is moved into the database must find it there.
TEST_F(CommitFailureDeathTest, TheNextOpenWritesTheLogToTheDiskAnew) {
  const std::string mark = folder_.path() + "/state/unsynced";
  const auto commit = [&] {
    FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
    add("doubtful");
  };
  EXPECT_EXIT(commit(), testing::ExitedWithCode(74), "outcome is unknown");
  store_.reset();
  EXPECT_TRUE(std::filesystem::exists(mark));
  FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
  try {
    (void)StateStore::open(folder_.path() + "/state");
    ADD_FAILURE() << "opened on a disk that does not sync";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io_error) << error.what();
  }
  EXPECT_TRUE(std::filesystem::exists(mark));
  heal();
  const auto size = static_cast<sqlite3_int64>(std::filesystem::file_size(folder_.path() + "/state/state.db-wal"));
  ASSERT_GT(size, 0);
  FaultyLog::written_up_to = 0;
  store_ = StateStore::open(folder_.path() + "/state");
  EXPECT_EQ(FaultyLog::written_up_to, size);
  EXPECT_FALSE(std::filesystem::exists(mark));
  EXPECT_EQ(store_->accounts().size(), 2U) << "what the kernel remembers of the commit is on the disk now";
  store_.reset();
  FaultyLog::written_up_to = 0;
  store_ = StateStore::open(folder_.path() + "/state");
  EXPECT_EQ(FaultyLog::written_up_to, 0) << "once is enough";
}

TEST_F(CommitFailureDeathTest, AWriteThatTheKernelRefusesEndsTheProcessAtOnce) {
  const auto commit = [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};  // less than one page and its header
    ::setrlimit(RLIMIT_FSIZE, &limit);
    add("doubtful");
  };
  EXPECT_EXIT(commit(), testing::ExitedWithCode(74), "outcome is unknown");
}

// Another account's thread waits for its turn; it must not get it.
TEST_F(CommitFailureDeathTest, NobodyElseCommitsAfterwards) {
  AccountRow account;
  account.id = "x";
  account.name = "x";
  const auto commit = [&] {
    auto failing = store_->begin();
    failing.insert_account(account);
    std::thread([this] {
      add("other");
      ::_exit(0);
    }).detach();
    FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
    failing.commit();
  };
  EXPECT_EXIT(commit(), testing::ExitedWithCode(74), "outcome is unknown");
  store_.reset();
  store_ = StateStore::open(folder_.path() + "/state");
  for (const AccountRow& row : store_->accounts()) EXPECT_NE(row.name, "other");
}

}  // namespace
}  // namespace popsync::state
