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
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

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
  static inline std::function<void()> on_sync;

  static int write(sqlite3_file* file, const void* data, int octets, sqlite3_int64 at) {
    written_up_to = std::max(written_up_to, at + octets);
    if (write_result == SQLITE_OK) return methods->xWrite(file, data, octets, at);
    errno = number;
    return write_result;
  }
  static int sync(sqlite3_file* file, int flags) {
    if (on_sync) on_sync();
    return sync_result == SQLITE_OK ? methods->xSync(file, flags) : sync_result;
  }
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

  static void heal() {
    FaultyLog::write_result = FaultyLog::sync_result = SQLITE_OK;
    FaultyLog::on_sync = nullptr;
  }

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

TEST_F(CommitFailureTest, AFileThatMayNotGrowIsAFullDisk) {
  FaultyLog::write_result = SQLITE_IOERR_WRITE;
  FaultyLog::number = EFBIG;
  expect_known(ErrorCode::disk_full);
}

TEST_F(CommitFailureTest, ABusyDatabaseIsKnownAndNothingWasCommitted) {
  FaultyLog::write_result = SQLITE_BUSY;
  expect_known(ErrorCode::lock_held);
}

// What is in the log when a state is opened is proven by moving all of it into the database; a reader with an older snapshot keeps a part back.
TEST_F(CommitFailureTest, AnOpenWaitsForAReaderOfTheLog) {
  SQLite::Database reader(folder_.path() + "/state/state.db", SQLITE_OPEN_READONLY);
  reader.exec("BEGIN; SELECT count(*) FROM account");
  add("later");
  bool reader_was_there = false;
  FaultyLog::on_sync = [&] {  // of the log, before the first part of it is moved
    if (!std::exchange(reader_was_there, true)) reader.exec("COMMIT");
  };
  const auto second = StateStore::open(folder_.path() + "/state");
  EXPECT_TRUE(reader_was_there);
  EXPECT_EQ(second->accounts().size(), 2U);
  SQLite::Database plain("file:" + folder_.path() + "/state/state.db?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  EXPECT_EQ(plain.execAndGet("SELECT count(*) FROM account").getInt(), 2) << "without the log";
}

TEST_F(CommitFailureTest, ALongLogIsMovedByTheCommitThatMakesItLong) {
  store_.reset();
  store_ = StateStore::open(folder_.path() + "/state", {.log_pages_max = 1});
  add("later");
  SQLite::Database plain("file:" + folder_.path() + "/state/state.db?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  EXPECT_EQ(plain.execAndGet("SELECT count(*) FROM account").getInt(), 2) << "without the log";
}

TEST_F(CommitFailureTest, ALogThatCannotBeMovedYetIsNoFailedCommit) {
  store_.reset();
  store_ = StateStore::open(folder_.path() + "/state", {.log_pages_max = 1});
  int syncs = 0;
  FaultyLog::on_sync = [&] {  // a new log's head and the commit; then it is synced again, to be moved
    if (++syncs == 3) FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
  };
  testing::internal::CaptureStderr();
  add("later");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("cannot move the log into the database yet"));
  EXPECT_EQ(store_->accounts().size(), 2U);
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
  const std::string trust = folder_.path() + "/state/trusted";
  const auto commit = [&] {
    FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
    add("doubtful");
  };
  EXPECT_EXIT(commit(), testing::ExitedWithCode(74), "outcome is unknown");
  store_.reset();
  EXPECT_FALSE(std::filesystem::exists(trust));
  FaultyLog::sync_result = SQLITE_IOERR_FSYNC;
  try {
    (void)StateStore::open(folder_.path() + "/state");
    ADD_FAILURE() << "opened on a disk that does not sync";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io_error) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(trust));
  heal();
  const auto size = static_cast<sqlite3_int64>(std::filesystem::file_size(folder_.path() + "/state/state.db-wal"));
  ASSERT_GT(size, 0);
  FaultyLog::written_up_to = 0;
  store_ = StateStore::open(folder_.path() + "/state");
  EXPECT_EQ(FaultyLog::written_up_to, size);
  EXPECT_TRUE(std::filesystem::exists(trust));
  EXPECT_EQ(store_->accounts().size(), 2U) << "what the kernel remembers of the commit is on the disk now";
  store_.reset();
  FaultyLog::written_up_to = 0;
  store_ = StateStore::open(folder_.path() + "/state");
  EXPECT_EQ(FaultyLog::written_up_to, 0) << "once is enough";
}

TEST_F(CommitFailureDeathTest, AWriteThatTheKernelRefusesEndsTheProcessAtOnce) {
  FaultyLog::write_result = SQLITE_IOERR_WRITE;
  FaultyLog::number = EIO;
  EXPECT_EXIT(add("doubtful"), testing::ExitedWithCode(74), "outcome is unknown");
}

// By the kernel's own limit. The log is written from its beginning again once it was moved into the database, so the next commit has room.
TEST_F(CommitFailureDeathTest, ALogThatMayNotGrowIsMovedAndWrittenAnew) {
  const auto commit_twice = [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto size_of = [&](const char* name) { return std::filesystem::file_size(folder_.path() + "/state/" + name); };
    for (int i = 0; size_of("state.db-wal") < 2 * size_of("state.db"); ++i) add(std::to_string(i));
    const auto size = size_of("state.db-wal") + 4096;  // less than one page and its header
    const rlimit limit{.rlim_cur = size, .rlim_max = size};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      add("refused");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::disk_full) throw;
      add("after");
      std::exit(0);
    }
    std::exit(1);
  };
  EXPECT_EXIT(commit_twice(), testing::ExitedWithCode(0), "");
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
