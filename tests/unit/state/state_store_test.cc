// SPDX-License-Identifier: MIT
#include "state/state_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "state/install.h"
#include "state/schema.h"
#include "state/transaction.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace stdfs = std::filesystem;

constexpr const char* kAccount = "0123456789abcdef";

template <typename Work>
Error error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorCode::bug, "");
}

AccountRow account_row(const std::string& id = kAccount, const std::string& name = "work") {
  AccountRow row;
  row.id = id;
  row.name = name;
  row.host = "pop.example.org";
  row.user = "me";
  return row;
}

class StateStoreTest : public testing::Test {
 protected:
  [[nodiscard]] std::string directory() const { return folder_.path() + "/var/state"; }
  [[nodiscard]] std::string file(const std::string& name) const { return directory() + "/" + name; }
  [[nodiscard]] std::unique_ptr<StateStore> open() const { return StateStore::open(directory()); }
  // Changes the database behind the store's back.
  void change(const std::string& sql) const { SQLite::Database(file("state.db"), SQLite::OPEN_READWRITE).exec(sql); }
  static mode_t mode_of(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777U;
  }

  config::TempFolder folder_;
};

TEST_F(StateStoreTest, IsMadeForUsAloneWithItsParents) {
  const mode_t before = ::umask(0);
  const auto store = open();
  ::umask(before);
  EXPECT_EQ(mode_of(directory()), 0700U);
  EXPECT_EQ(mode_of(folder_.path() + "/var"), 0700U);
  EXPECT_EQ(mode_of(file("locks")), 0700U);
  EXPECT_EQ(mode_of(file("state.db")), 0600U);
  EXPECT_EQ(mode_of(file("install.key")), 0600U);
  EXPECT_EQ(mode_of(file("lock")), 0600U);
  EXPECT_EQ(store->directory(), stdfs::canonical(directory()));
}

TEST_F(StateStoreTest, TellsOfAccountsWhoseFileSystemDoesNotAnswerAlsoWithoutARow) {
  const auto store = open();
  const WallTime since = from_unix_seconds(1'700'000'000);
  const auto set = [&](const std::string& name, const std::optional<UnansweredRow>& row) {
    auto transaction = store->begin();
    transaction.set_unanswered(name, row);
    transaction.commit();
  };
  set("new", UnansweredRow{.since = since - std::chrono::seconds(9), .path = "/there"});
  set("new", UnansweredRow{.since = since, .path = "/mnt/mail"});
  set("other", UnansweredRow{.since = since, .path = "/mnt"});
  EXPECT_EQ(store->unanswered("new")->since, since);
  EXPECT_EQ(store->unanswered("new")->path, "/mnt/mail");
  set("new", std::nullopt);
  EXPECT_FALSE(store->unanswered("new"));
  auto transaction = store->begin();
  transaction.forget_unanswered();
  transaction.commit();
  EXPECT_FALSE(store->unanswered("other"));
}

TEST_F(StateStoreTest, HasAnInstallKeyThatStays) {
  const std::string key = open()->install_key();
  EXPECT_EQ(key.size(), 32U);
  EXPECT_EQ(open()->install_key(), key);
  EXPECT_NE(StateStore::open(folder_.path() + "/other")->install_key(), key);
}

TEST_F(StateStoreTest, OpenExistingMakesNothing) {
  EXPECT_EQ(StateStore::open_existing(directory()), nullptr);
  EXPECT_FALSE(stdfs::exists(directory()));
  stdfs::create_directories(directory());
  EXPECT_EQ(StateStore::open_existing(directory()), nullptr);
  EXPECT_TRUE(stdfs::is_empty(directory()));
  (void)open();
  EXPECT_NE(StateStore::open_existing(directory()), nullptr);
}

TEST_F(StateStoreTest, ADirectoryThatOthersMayWriteToIsRefused) {
  stdfs::create_directories(directory());
  ASSERT_EQ(::chmod(directory().c_str(), 0770), 0);
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_unavailable);
  ASSERT_EQ(::chmod(directory().c_str(), 0702), 0);
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_unavailable);
}

TEST_F(StateStoreTest, APathThatIsAFileIsUnavailable) {
  folder_.write("var/state", "x");
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_unavailable);
}

// docs/durability.md: a COMMIT means what it says only under these.
TEST_F(StateStoreTest, EveryConnectionWritesAheadAndSyncsFully) {
  (void)open();
  SQLite::Database database(file("state.db"), SQLite::OPEN_READWRITE);
  EXPECT_EQ(database.execAndGet("PRAGMA journal_mode").getString(), "wal");  // lasting, in the file
  prepare_connection(database);
  EXPECT_EQ(database.execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(database.execAndGet("PRAGMA synchronous").getInt(), 2);
  EXPECT_EQ(database.execAndGet("PRAGMA wal_autocheckpoint").getInt(), 0);
  EXPECT_EQ(database.execAndGet("PRAGMA foreign_keys").getInt(), 1);
  EXPECT_EQ(database.execAndGet("PRAGMA application_id").getInt(), kApplicationId);
  EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), kSchemaVersion);
}

TEST_F(StateStoreTest, ADatabaseThatCannotWriteAheadIsRefused) {
  SQLite::Database memory(":memory:", SQLite::OPEN_READWRITE);
  EXPECT_EQ(error_of([&] { prepare_connection(memory); }).code(), ErrorCode::state_unavailable);
}

TEST_F(StateStoreTest, ClosingLeavesTheLogToTheNextOpenWhichEmptiesIt) {
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.commit();
  }
  EXPECT_GT(stdfs::file_size(file("state.db-wal")), 0U);  // a checkpoint at close would not be under our lock
  stdfs::copy_file(file("state.db"), file("before"));
  EXPECT_EQ(open()->accounts().size(), 1U);
  EXPECT_NE(config::content_of(file("state.db")), config::content_of(file("before")));
}

TEST_F(StateStoreTest, ACommitSurvivesAndARollbackLeavesNothing) {
  {
    const auto store = open();
    {
      auto transaction = store->begin();
      transaction.insert_account(account_row());
      transaction.commit();
    }
    {
      auto transaction = store->begin();
      transaction.insert_account(account_row("fedcba9876543210", "home"));
      transaction.insert_known({.account = kAccount, .uid = {"a"}, .list_size = {}, .reason = {}});
    }
    EXPECT_EQ(store->accounts().size(), 1U);
    EXPECT_THAT(store->messages(kAccount), IsEmpty());
  }
  const auto store = open();
  ASSERT_EQ(store->accounts().size(), 1U);
  EXPECT_EQ(store->accounts().front().name, "work");
}

TEST_F(StateStoreTest, AStatementThatFailsLeavesTheTransactionToBeRolledBack) {
  const auto store = open();
  {
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    EXPECT_EQ(error_of([&] { transaction.insert_account(account_row()); }).code(), ErrorCode::io_error);  // the id is taken
  }
  EXPECT_THAT(store->accounts(), IsEmpty());
  auto transaction = store->begin();
  transaction.insert_account(account_row());
  transaction.commit();
  EXPECT_EQ(store->accounts().size(), 1U);
}

TEST_F(StateStoreTest, ARowOfNoAccountIsRefused) {
  const auto store = open();
  auto transaction = store->begin();
  EXPECT_THROW(transaction.insert_known({.account = "none", .uid = {"a"}, .list_size = {}, .reason = {}}), Error);
}

TEST_F(StateStoreTest, TwoAccountsCannotHaveOneName) {
  const auto store = open();
  auto transaction = store->begin();
  transaction.insert_account(account_row());
  EXPECT_THROW(transaction.insert_account(account_row("fedcba9876543210", "work")), Error);
}

TEST_F(StateStoreTest, AccountsAreFoundByNameOrUser) {
  const auto store = open();
  auto transaction = store->begin();
  for (const auto& [id, name, user] : {std::tuple("1", "work", "alice"), std::tuple("2", "home", "alice"), std::tuple("3", "club", "bob")}) {
    state::AccountRow row = account_row(id, name);
    row.user = user;
    transaction.insert_account(row);
  }
  transaction.commit();
  const auto names = [&](const char* name, const char* user) {
    std::vector<std::string> found;
    for (const state::AccountRow& row : store->accounts_akin(name, user)) found.push_back(row.name);
    return found;
  };
  EXPECT_THAT(names("new", "alice"), ElementsAre("home", "work"));
  EXPECT_THAT(names("club", "alice"), ElementsAre("club", "home", "work"));
  EXPECT_THAT(names("work", "alice"), ElementsAre("home", "work"));
  EXPECT_THAT(names("new", "carol"), IsEmpty());
  SQLite::Database database(file("state.db"), SQLite::OPEN_READWRITE);
  SQLite::Statement plan(database, "EXPLAIN QUERY PLAN SELECT * FROM account WHERE name = ? OR user = ? ORDER BY name");
  while (plan.executeStep()) EXPECT_THAT(plan.getColumn("detail").getString(), Not(HasSubstr("SCAN")));
}

TEST_F(StateStoreTest, AnOlderSchemaIsBroughtUpWithItsRows) {
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.insert_mailstore(kAccount, "/mail", "id");
    transaction.commit();
  }
  for (const char* sql : {"ALTER TABLE mailstore DROP COLUMN suspended",
                          "ALTER TABLE mailstore DROP COLUMN sync_failures",
                          "ALTER TABLE account DROP COLUMN next_sync_delay",
                          "ALTER TABLE account DROP COLUMN port",
                          "ALTER TABLE account DROP COLUMN rekeyings",
                          "ALTER TABLE account DROP COLUMN top_breaks",
                          "ALTER TABLE account DROP COLUMN top_differences",
                          "ALTER TABLE account DROP COLUMN top_off_since",
                          "ALTER TABLE message DROP COLUMN top_broke",
                          "DROP TABLE doubt",
                          "ALTER TABLE account DROP COLUMN surprises",
                          "ALTER TABLE account DROP COLUMN expire_days",
                          "ALTER TABLE account DROP COLUMN login_delay",
                          "ALTER TABLE account DROP COLUMN last_login",
                          "ALTER TABLE account DROP COLUMN refusals",
                          "ALTER TABLE account DROP COLUMN tried_with",
                          "ALTER TABLE message DROP COLUMN dele_sent",
                          "DROP TABLE server_memory",
                          "DROP TRIGGER message_erased",
                          "DROP INDEX message_by_age",
                          "DROP INDEX account_by_user",
                          "DROP TABLE clocks",
                          "ALTER TABLE message DROP COLUMN stored_clock",
                          "ALTER TABLE message DROP COLUMN absent_clock",
                          "ALTER TABLE mailstore DROP COLUMN unlearned_mark",
                          "ALTER TABLE mailstore DROP COLUMN unlearned_at",
                          "ALTER TABLE mailstore DROP COLUMN unlearned_clock",
                          "DROP TABLE unanswered",
                          "PRAGMA user_version=2"})
    change(sql);
  const auto store = open();
  ASSERT_EQ(store->mailstores(kAccount).size(), 1U);
  EXPECT_EQ(store->mailstores(kAccount)[0].suspended, "");
  EXPECT_EQ(store->accounts().size(), 1U);
  SQLite::Database database(file("state.db"), SQLite::OPEN_READWRITE);
  EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), kSchemaVersion);
}

TEST_F(StateStoreTest, ANewerSchemaIsLeftToTheNewerProgram) {
  (void)open();
  change("PRAGMA user_version=" + std::to_string(kSchemaVersion + 1));
  const Error error = error_of([&] { (void)open(); });
  EXPECT_EQ(error.code(), ErrorCode::newer_schema);
  EXPECT_THAT(error.hint(), HasSubstr("newer popsync"));
}

TEST_F(StateStoreTest, ADatabaseOfAnotherProgramIsRefusedAndKeepsItsRows) {
  (void)open();
  for (const char* name : {"state.db", "state.db-wal", "state.db-shm"}) stdfs::remove(file(name));
  SQLite::Database(file("state.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE notes(text); INSERT INTO notes VALUES('x')");
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_corrupt);
  EXPECT_EQ(SQLite::Database(file("state.db")).execAndGet("SELECT text FROM notes").getString(), "x");
}

TEST_F(StateStoreTest, AFileThatIsNoDatabaseStopsAndIsNotReplaced) {
  (void)open();
  for (const char* name : {"state.db-wal", "state.db-shm"}) stdfs::remove(file(name));
  const std::string rubbish(100'000, 'x');
  std::ofstream(file("state.db"), std::ios::trunc) << rubbish;
  const Error error = error_of([&] { (void)open(); });
  EXPECT_EQ(error.code(), ErrorCode::state_corrupt);
  EXPECT_THAT(error.hint(), HasSubstr("backup"));
  EXPECT_EQ(config::content_of(file("state.db")), rubbish);
}

TEST_F(StateStoreTest, DamageInsideIsFoundByTheCheck) {
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    for (int i = 0; i < 2000; ++i) {
      transaction.insert_known({.account = kAccount, .uid = {"unique-id " + std::to_string(i)}, .list_size = {}, .reason = std::string(100, 'r')});
    }
    transaction.commit();
    EXPECT_NO_THROW(store->quick_check());
  }
  (void)open();  // the log is in the database now
  for (const char* name : {"state.db-wal", "state.db-shm"}) stdfs::remove(file(name));
  const auto size = stdfs::file_size(file("state.db"));
  ASSERT_GT(size, 100'000U);
  {
    std::fstream database(file("state.db"), std::ios::in | std::ios::out | std::ios::binary);
    database.seekp(40'960);
    database << std::string(size - 40'960, '\xff');
  }
  EXPECT_EQ(error_of([&] { open()->quick_check(); }).code(), ErrorCode::state_corrupt);
}

// The log of one large transaction is as large; it must not stay so for ever.
TEST_F(StateStoreTest, ALogThatHasGrownIsCutBackByTheNextCommit) {
  constexpr std::uintmax_t kLogMax = 16U << 20U;
  const auto store = open();
  const auto change = [&](int rows) {
    auto transaction = store->begin();
    for (int i = 0; i < rows; ++i) {
      transaction.insert_known({.account = kAccount, .uid = {std::string(1000, 'u') + std::to_string(i)}, .list_size = {}, .reason = {}});
    }
    transaction.commit();
  };
  {
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.commit();
  }
  change(12'000);
  EXPECT_GT(stdfs::file_size(file("state.db-wal")), kLogMax);
  change(1);
  EXPECT_LE(stdfs::file_size(file("state.db-wal")), kLogMax);
  EXPECT_EQ(open()->messages(kAccount).size(), 12'001U);
}

TEST_F(StateStoreTest, ADatabaseWithoutItsKeyIsRefusedAndGetsNoNewOne) {
  (void)open();
  stdfs::remove(file("install.key"));
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_corrupt);
  EXPECT_FALSE(stdfs::exists(file("install.key")));
}

TEST_F(StateStoreTest, ALogWhoseDatabaseIsGoneIsNotReadIntoANewOne) {
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.commit();
  }
  ASSERT_GT(stdfs::file_size(file("state.db-wal")), 0U);
  stdfs::rename(file("state.db"), folder_.path() + "/elsewhere.db");
  const Error error = error_of([&] { (void)open(); });
  EXPECT_EQ(error.code(), ErrorCode::state_corrupt);
  EXPECT_THAT(error.what(), testing::HasSubstr("state.db-wal is still there"));
  EXPECT_EQ(error_of([&] { refuse_unusable(stdfs::path(file("state.db")).parent_path()); }).code(), ErrorCode::state_corrupt);
  EXPECT_FALSE(stdfs::exists(file("state.db")));
  stdfs::rename(folder_.path() + "/elsewhere.db", file("state.db"));
  EXPECT_EQ(open()->accounts().size(), 1U) << "nothing was touched";
  stdfs::remove(file("state.db"));
  std::ofstream(file("state.db-wal"), std::ios::trunc).close();
  EXPECT_TRUE(open()->accounts().empty()) << "an empty log tells nothing";
}

TEST_F(StateStoreTest, ALogIsNotReadIntoADatabaseThatWasEmptied) {
  (void)open();
  std::ofstream(file("state.db-wal"), std::ios::trunc) << "what the database knew";
  stdfs::resize_file(file("state.db"), 0);
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_corrupt);
  EXPECT_EQ(stdfs::file_size(file("state.db")), 0U);
  EXPECT_EQ(config::content_of(file("state.db-wal")), "what the database knew");
}

TEST_F(StateStoreTest, ALogWhoseDatabaseAndKeyAreGoneGetsNoNewKey) {
  (void)open();
  std::ofstream(file("state.db-wal"), std::ios::trunc) << "what the database knew";
  for (const char* name : {"state.db", "install.key"}) stdfs::remove(file(name));
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), ErrorCode::state_corrupt);
  EXPECT_FALSE(stdfs::exists(file("install.key")));
}

TEST_F(StateStoreTest, ADamagedKeyIsRefused) {
  (void)open();
  for (const std::string& key : {std::string(31, 'k'), std::string(), std::string(40, 'k')}) {
    std::ofstream(file("install.key"), std::ios::trunc) << key;
    EXPECT_THROW((void)open(), Error) << key.size();
    EXPECT_EQ(config::content_of(file("install.key")), key);
  }
}

TEST_F(StateStoreTest, TheDatabaseMayNotBeALink) {
  (void)open();
  for (const char* name : {"state.db-wal", "state.db-shm"}) stdfs::remove(file(name));
  stdfs::rename(file("state.db"), folder_.path() + "/elsewhere.db");
  stdfs::create_symlink(folder_.path() + "/elsewhere.db", file("state.db"));
  EXPECT_THROW((void)open(), Error);
}

TEST_F(StateStoreTest, ThreadsOfOneProcessCommitInTurn) {
  const auto store = open();
  {
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.commit();
  }
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int commit = 0; commit < 10; ++commit) {
          auto transaction = store->begin();
          transaction.add_delivered(kAccount, 1, 10);
          transaction.commit();
        }
      });
    }
  }
  EXPECT_EQ(store->account(kAccount)->delivered_total, 40U);
}

// One octet through a pipe: whose turn it is.
struct Turn {
  Turn() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    for (const int end : ends) ::close(end);
  }
  void give() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  void take() const {
    char octet = 0;
    EXPECT_EQ(::read(ends[0], &octet, 1), 1);
  }
  std::array<int, 2> ends{};
};

void deliver_one(StateStore& store) {
  auto transaction = store.begin();
  transaction.add_delivered(kAccount, 1, 1);
  transaction.commit();
}

TEST_F(StateStoreTest, ProcessesThatCommitInTurnLoseNothing) {
  constexpr int kRounds = 25;
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.commit();
  }
  const Turn ours;
  const Turn theirs;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int status = 0;
    try {
      for (int i = 0; i < kRounds; ++i) {
        theirs.take();
        deliver_one(*open());  // opened anew each time: what is in the log is checkpointed beside the other's commits
        ours.give();
      }
    } catch (...) {
      status = 1;
    }
    ::_exit(status);
  }
  const auto store = open();
  for (int i = 0; i < kRounds; ++i) {
    deliver_one(*store);
    theirs.give();
    ours.take();
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(store->account(kAccount)->delivered_total, 2U * kRounds);
  store->quick_check();
}

TEST_F(StateStoreTest, WhatAnotherProcessCommitsIsSeenByTheNextRead) {
  const auto ours = open();
  const auto theirs = open();
  auto transaction = ours->begin();
  transaction.insert_account(account_row());
  transaction.commit();
  ASSERT_TRUE(ours->account(kAccount));
  EXPECT_EQ(ours->seen_count(kAccount), 0U);
  EXPECT_FALSE(ours->prints(1));
  auto other = theirs->begin();
  other.insert_known({.account = kAccount, .state = RowState::seen, .uid = pop3::UniqueId{"u1"}, .list_size = 1, .reason = "", .tries = 0, .at = {}});
  other.commit();
  EXPECT_EQ(ours->messages(kAccount).size(), 1U);
}

TEST_F(StateStoreTest, ProcessesThatCommitAtOnceLoseNothing) {
  constexpr int kCommits = 40;
  constexpr std::size_t kProcesses = 3;
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    transaction.commit();
  }
  std::array<pid_t, kProcesses> children{};
  for (pid_t& child : children) {
    child = ::fork();
    ASSERT_GE(child, 0);
    if (child != 0) continue;
    int status = 0;
    try {
      const auto store = open();
      for (int i = 0; i < kCommits; ++i) deliver_one(*store);
    } catch (...) {
      status = 1;
    }
    ::_exit(status);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(open()->account(kAccount)->delivered_total, kProcesses * kCommits);
}

TEST_F(StateStoreTest, AProcessThatIsKilledInATransactionLeavesNoneOfIt) {
  (void)open();
  const Turn ready;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto store = open();
    auto transaction = store->begin();
    transaction.insert_account(account_row());
    ready.give();
    ::pause();
    ::_exit(1);
  }
  ready.take();
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto store = open();
  EXPECT_THAT(store->accounts(), IsEmpty());
  auto transaction = store->begin();  // its locks went with it
  transaction.insert_account(account_row());
  transaction.commit();
}

}  // namespace
}  // namespace popsync::state
