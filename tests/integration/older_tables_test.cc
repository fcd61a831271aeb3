// SPDX-License-Identifier: MIT
// A state whose tables are those of an older popsync: they are changed by the first that works on it, but never under a popsync that runs, and never
// by `status` and `check`. What runs here as 0.1.0's daemon is this test: it holds the lock that one holds, and writes as it does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <ostream>

#include "state/account_lock.h"
#include "state/in_use.h"
#include "support/folder_content.h"
#include "support/left_state.h"

namespace popsync::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::string own_pid() { return "pid " + std::to_string(::getpid()); }

struct OlderTables : testing::Test {
  void SetUp() override {
    ::signal(SIGUSR2, SIG_IGN);  // a sync tells the daemon of itself
    left.take_back_a_step();
    version = left.schema_version();
    rows = left.rows();
    octets = database();
  }
  [[nodiscard]] std::string file(const std::string& name) const { return left.home().state_dir() + "/" + name; }
  [[nodiscard]] std::string database() const { return content_of(file("state.db")) + content_of(file("state.db-wal")); }
  [[nodiscard]] ProgramResult run(std::vector<std::string> arguments) const { return left.home().run(std::move(arguments)); }
  void start_daemon() { daemon.emplace(*state::FileLock::try_take(file("daemon.lock"), "popsync run")); }
  // As 0.1.0 writes a row: in its turn, and without a column that it does not know.
  void write_as_the_daemon(const std::string& uid) const {
    const state::FileLock turn = state::FileLock::take(file("lock"));
    left.change("INSERT INTO message(account, state, uid, list_size, stored_at) SELECT id, 2, CAST('" + uid +
                "' AS BLOB), 100, 1764000000 FROM account WHERE name = 'seeded'");
  }
  void expect_untouched() {
    EXPECT_EQ(left.schema_version(), version);
    EXPECT_EQ(database(), octets);
  }

  LeftState left{std::string(POPSYNC_STATES_DIR) + "/0.1.0.tar.gz"};
  int version = 0;
  std::vector<LeftState::Row> rows;
  std::string octets;
  std::optional<state::FileLock> daemon;
};

TEST_F(OlderTables, AreNotChangedUnderARunningDaemonWhichIsNamed) {
  start_daemon();
  for (const char* command : {"sync", "seed", "rebuild", "retry"}) {
    std::vector<std::string> arguments = {command, "held", "--wait", "0s"};
    if (arguments[0] == "retry") arguments.insert(arguments.begin() + 2, "big2");
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.status, 75) << command << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("popsync run"), HasSubstr(own_pid()), HasSubstr("older popsync"))) << command;
  }
  expect_untouched();
  EXPECT_EQ(left.server().record().sessions, 0U);
}

TEST_F(OlderTables, AreNotChangedByASecondDaemon) {
  start_daemon();
  const ProgramResult result = run({"run"});
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_THAT(result.err, HasSubstr(own_pid()));
  expect_untouched();
}

TEST_F(OlderTables, AreNotChangedUnderACommandOfAnOlderVersion) {
  const auto account = state::FileLock::try_take(file("locks/0000000000000000"), "popsync sync");
  const ProgramResult result = run({"sync", "--wait", "0s"});
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("popsync sync"), HasSubstr(own_pid())));
  expect_untouched();
}

TEST_F(OlderTables, AreReadByStatusAndCheckAndStayAsTheyAre) {
  for (const bool beside_a_daemon : {false, true}) {
    if (beside_a_daemon) start_daemon();
    const ProgramResult status = run({"status"});
    EXPECT_EQ(status.status, 0) << status.err;
    EXPECT_THAT(status.out, AllOf(HasSubstr("older popsync"), HasSubstr("published: ok"), HasSubstr("big2")));
    const ProgramResult seeded = run({"status", "seeded", "--json"});
    EXPECT_EQ(json_at(seeded.out, "accounts[0].seen"), "6") << seeded.out;
    EXPECT_EQ(json_at(seeded.out, "accounts[0].delivered_total"), "2") << seeded.out;
    const ProgramResult check = run({"check", "published", "box", "seeded"});
    EXPECT_EQ(check.status, 0) << check.out << check.err;
    EXPECT_THAT(check.out, AllOf(HasSubstr("older popsync"), HasSubstr("6 messages known")));
    expect_untouched();
  }
}

TEST_F(OlderTables, WhatTheDaemonWritesMeanwhileIsSeenByStatus) {
  start_daemon();
  write_as_the_daemon("s7");
  EXPECT_EQ(json_at(run({"status", "seeded", "--json"}).out, "accounts[0].seen"), "7");
  EXPECT_EQ(left.schema_version(), version);
}

TEST_F(OlderTables, AreChangedOnceTheDaemonHasEndedWithAllThatItWrote) {
  start_daemon();
  const auto sync = left.home().start({"sync", "--wait", "10m"});
  ASSERT_TRUE(sync->wait_for_err("waiting for")) << sync->err();
  EXPECT_THAT(sync->err(), HasSubstr(own_pid()));
  write_as_the_daemon("s7");
  daemon.reset();
  EXPECT_EQ(sync->wait().status, 0) << sync->err();
  EXPECT_GT(left.schema_version(), version);
  EXPECT_EQ(left.rows().size(), rows.size() + 1);
  EXPECT_THAT(left.rows(), Contains(testing::Field(&LeftState::Row::uid, "s7")));
  EXPECT_THAT(run({"status"}).out, Not(HasSubstr("older popsync")));
}

// Two that find the old tables at the same time.
TEST_F(OlderTables, AreChangedOnceByTwoThatWaited) {
  start_daemon();
  const auto one = left.home().start({"sync", "published", "--wait", "10m"});
  const auto two = left.home().start({"sync", "seeded", "--wait", "10m"});
  ASSERT_TRUE(one->wait_for_err("waiting for")) << one->err();
  ASSERT_TRUE(two->wait_for_err("waiting for")) << two->err();
  daemon.reset();
  EXPECT_EQ(one->wait().status, 0) << one->err();
  EXPECT_EQ(two->wait().status, 0) << two->err();
  EXPECT_GT(left.schema_version(), version);
}

TEST_F(OlderTables, AreChangedByTheDaemonItself) {
  const auto run = left.home().start({"run"});
  ASSERT_TRUE(left.server().wait_for([&](const MaildropRecord& record) { return record.quits >= left.accounts().size(); }));
  EXPECT_GT(left.schema_version(), version);
  run->signal(SIGTERM);
  EXPECT_EQ(run->wait().status, 0) << run->err();
}

// A later version will find this one so.
TEST_F(OlderTables, WhoeverWorksOnTheStateIsNamedToOneThatHasToChangeTheTables) {
  left.server().add_to("published", "Subject: x\r\n\r\nx\r\n", "stalled");
  left.server().change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = "stalled", .octets = 5}; });
  const auto sync = left.home().start({"sync", "published"});
  ASSERT_TRUE(left.server().wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  state::InUse later = state::InUse::share(left.home().state_dir(), 0ms);
  EXPECT_THAT(later.try_alone(false).value_or(""), HasSubstr("pid " + std::to_string(sync->pid())));
  left.server().set_knobs({});
  left.server().release_stalled();
  EXPECT_EQ(sync->wait().status, 0) << sync->err();
  EXPECT_FALSE(later.try_alone(false));
}

}  // namespace
}  // namespace popsync::test
