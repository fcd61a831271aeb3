// SPDX-License-Identifier: MIT
// A state that was lost, or put back from an old backup, is learnt again from the names of the files: nothing is fetched twice, nothing that was not
// fetched is taken for known, and nothing is deleted on the server for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

struct LostState : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 5; ++i) server.add(small_message("message " + std::to_string(i)), "uid-" + std::to_string(i));
    home.configure({.port = server.port()});
  }
  ProgramResult sync() {
    ProgramResult result = home.run({"sync"});
    EXPECT_EQ(result.status, 0) << result.err;
    return result;
  }
  void configure_mbox(const std::string& user = "alice") const {
    const std::string name = user == "alice" ? "home" : user;
    home.configure_with("[accounts." + name + "]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + user +
                        "\"\npassword = \"open-sesame\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + (home.folder() / "mail.mbox") +
                        "\"\n");
  }
  std::string fetched(const ProgramHome& of) {
    const ProgramResult result = of.run({"sync", "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json_at(result.out, "accounts[0].fetched");
  }
  std::string fetched() { return fetched(home); }
  void lose_state() const { fs::remove_all(home.state_dir()); }
  void save_state() const { fs::copy(home.state_dir(), home.folder() / "backup", fs::copy_options::recursive); }
  void restore_state() const {
    lose_state();
    fs::copy(home.folder() / "backup", home.state_dir(), fs::copy_options::recursive);
  }
  void expect_everything_once() {
    EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
    EXPECT_EQ(fetched(), "0");
    EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(LostState, IsLearntFromTheFilesAndOnlyTheRestIsFetched) {
  sync();
  const auto files = message_files(home.maildir());
  fs::rename(files[0], home.maildir() + "/cur/" + fs::path(files[0]).filename().string() + ":2,FS");
  fs::rename(files[1], home.maildir() + "/cur/" + fs::path(files[1]).filename().string() + ",U=7:2,");
  fs::remove(files[2]);
  server.add(small_message("later"));
  lose_state();
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "2");
  EXPECT_THAT(result.err, AllOf(HasSubstr("is gone"), HasSubstr("4 messages"), HasSubstr("2 are not here")));
  expect_everything_once();
}

TEST_F(LostState, OfADatabaseAloneIsLearntToo) {
  sync();
  for (const char* file : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(home.state_dir() + "/" + file);
  EXPECT_EQ(fetched(), "0");
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
  expect_everything_once();
}

// An empty file is a database to SQLite.
TEST_F(LostState, OfADatabaseThatWasEmptiedStops) {
  sync();
  for (const char* file : {"state.db-wal", "state.db-shm"}) fs::remove(home.state_dir() + "/" + file);
  fs::resize_file(home.state_dir() + "/state.db", 0);
  for (const char* command : {"sync", "check", "status"}) {
    const ProgramResult result = home.run({command});
    EXPECT_EQ(result.status, 74) << command << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("has lost its content"), HasSubstr("backup"))) << command;
  }
  fs::remove(home.state_dir() + "/state.db");
  expect_everything_once();
}

TEST_F(LostState, KilledInItsFirstMomentBeginsAnew) {
  sync();
  for (const char* file : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(home.state_dir() + "/" + file);
  (void)home.folder().write("state/state.db.new", "half a database");
  (void)home.folder().write("state/state.db.new-journal", "half a journal");
  expect_everything_once();
  EXPECT_FALSE(fs::exists(home.state_dir() + "/state.db.new-journal"));
}

// It has no id file to learn from, so to go on would double every message.
TEST_F(LostState, OfAnMboxStopsUntilTheOperatorDecides) {
  configure_mbox();
  EXPECT_EQ(fetched(), "5");
  lose_state();
  for (const char* command : {"sync", "check"}) {
    const ProgramResult result = home.run({command});
    EXPECT_EQ(result.status, 78) << command;
    EXPECT_THAT(result.out + result.err, AllOf(HasSubstr("X-Popsync-Id"), HasSubstr("popsync seed home"))) << command;
  }
  EXPECT_EQ(home.run({"seed", "home"}).status, 0);
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
  lose_state();
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 0);
  EXPECT_EQ(fetched(), "6");
}

TEST_F(LostState, AnMboxOfAnotherAccountIsNoneThatWasLost) {
  configure_mbox();
  EXPECT_EQ(fetched(), "5");
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  configure_mbox("bob");
  EXPECT_EQ(fetched(), "1");
}

TEST_F(LostState, WhatWasLearntIsNeverDeletedOnTheServer) {
  sync();
  fs::remove(message_files(home.maildir()).front());
  lose_state();
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(server.count(), 4U);  // the one that was stored again may go
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(server.count(), 4U);
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(LostState, OfTwoAccountsThatShareAMaildir) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"), "uid-0");
  home.configure_all({{.name = "alice", .port = server.port(), .maildir = home.maildir()},
                      {.name = "bob", .port = server.port(), .user = "bob", .maildir = home.maildir()}});
  sync();
  lose_state();
  sync();
  sync();
  EXPECT_EQ(messages_in(home.maildir()).size(), 6U);
}

TEST_F(LostState, OfTwoMaildirsIsLearntFromEach) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  const std::vector<AccountText> both = {{.name = "alice", .port = server.port()}, {.name = "bob", .port = server.port(), .user = "bob"}};
  home.configure_all(both);
  sync();
  lose_state();
  home.configure_all({both[0]});  // the second comes back later, when its disk is mounted again, say
  sync();
  home.configure_all(both);
  EXPECT_THAT(sync().err, HasSubstr("1 message "));
  EXPECT_EQ(messages_in(home.maildir("alice")).size(), 5U);
  EXPECT_EQ(messages_in(home.maildir("bob")).size(), 1U);
}

TEST_F(LostState, EqualUniqueIdsAreLearntAsOftenAsFilesAreThere) {
  server.add(small_message("aaaa"), "same");
  server.add(small_message("bbbb"), "same");
  sync();
  EXPECT_EQ(messages_in(home.maildir()).size(), 7U);
  lose_state();
  EXPECT_EQ(fetched(), "0");
  for (const std::string& file : message_files(home.maildir())) {
    if (home.folder().read(fs::relative(file, home.folder().path())).find("Subject: bbbb") != std::string::npos) fs::remove(file);
  }
  lose_state();
  fetched();
  EXPECT_EQ(messages_in(home.maildir()).size(), 7U);  // one of both once more: which file is whose cannot be told from names
  EXPECT_EQ(fetched(), "0");
}

TEST_F(LostState, LeftoversInItsStagingAreRemovedAndFetched) {
  sync();
  for (const auto& folder : fs::directory_iterator(home.maildir() + "/tmp/.popsync")) {
    if (folder.is_directory()) {
      (void)home.folder().write(fs::relative(folder.path(), home.folder().path()).string() + "/1.M1P1Q1R0123456789abcdef_0123456789ab.host",
                                "half a mes");
    }
  }
  EXPECT_EQ(staged_in(home.maildir()).size(), 1U);
  lose_state();
  EXPECT_EQ(fetched(), "0");
  EXPECT_THAT(staged_in(home.maildir()), IsEmpty());
}

TEST_F(LostState, AListingThatWasEmptyAtFirstLosesNothingOfWhatIsLearnt) {
  sync();
  lose_state();
  server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; });
  EXPECT_EQ(fetched(), "0");
  server.set_knobs({});
  EXPECT_EQ(fetched(), "0");
  expect_everything_once();
}

TEST_F(LostState, CanStillBeFetchedAgainOnRequest) {
  sync();
  lose_state();
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(home.run({"refetch", "home", "uid-2"}).status, 0);
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()).size(), 6U);
}

TEST_F(LostState, CheckTellsItAndMakesNothing) {
  sync();
  lose_state();
  const ProgramResult result = home.run({"check"});
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("under a state that is gone"));
  EXPECT_FALSE(fs::exists(home.state_dir()));
}

TEST_F(LostState, DryRunTellsWhatTheNextSyncFetches) {
  const auto would_fetch = [this] { return json_at(home.run({"sync", "--dry-run", "--json"}).out, "accounts[0].would_fetch"); };
  sync();
  save_state();
  lose_state();
  server.add(small_message("later"));
  EXPECT_EQ(would_fetch(), "1");
  EXPECT_FALSE(fs::exists(home.state_dir()));
  restore_state();
  EXPECT_EQ(fetched(), "1");
  restore_state();  // older by one message
  EXPECT_EQ(would_fetch(), "0");
  EXPECT_EQ(fetched(), "0");
}

TEST_F(LostState, SeedingBeforeTheFirstSyncChangesNothingOfIt) {
  sync();
  fs::remove(message_files(home.maildir()).front());
  lose_state();
  EXPECT_EQ(home.run({"seed", "home"}).status, 0);
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
}

TEST_F(LostState, IsNotWhatAStateWithAKeyOfItsOwnMeets) {
  sync();
  ProgramHome other;
  other.configure({.port = server.port()});
  EXPECT_EQ(fetched(other), "5");
  other.configure({.port = server.port(), .maildir = home.maildir()});
  const ProgramResult result = other.run({"sync"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, AllOf(HasSubstr("--state-dir"), HasSubstr("popsync adopt")));
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(LostState, IsNotThatOfAnotherUserOrHost) {
  sync();
  server.add_user("bob", "open-sesame");
  ProgramHome other;
  for (const AccountText& account : std::vector<AccountText>{{.port = server.port(), .user = "bob", .maildir = home.maildir()},
                                                             {.port = server.port(), .host = "localhost", .maildir = home.maildir()}}) {
    other.configure(account);
    EXPECT_EQ(other.run({"sync"}).status, 78);
  }
}

TEST_F(LostState, IsNoStateWhoseSessionRuns) {
  server.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = 3, .octets = 20}; });
  const auto run = home.start({"sync"});
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  ProgramHome other;
  other.configure({.port = server.port(), .maildir = home.maildir()});
  const ProgramResult result = other.run({"sync"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("at this moment"));
  EXPECT_FALSE(fs::exists(other.state_dir()));
  server.release_stalled();
  EXPECT_EQ(run->wait().status, 0);
  expect_everything_once();
}

TEST_F(LostState, ThatWasNotLostAfterAllDoublesNothing) {
  sync();
  ProgramHome other;
  other.configure({.port = server.port(), .maildir = home.maildir()});
  EXPECT_EQ(fetched(other), "0");
  for (int i = 0; i < 3; ++i) {
    server.add(small_message("in turn " + std::to_string(i)));
    EXPECT_EQ(fetched(i % 2 == 0 ? other : home), "1");
  }
  EXPECT_EQ(fetched(other), "0");
  expect_everything_once();
}

TEST_F(LostState, OlderDatabaseLearnsWhatWasFetchedSince) {
  sync();
  save_state();
  for (int i = 0; i < 3; ++i) server.add(small_message("since " + std::to_string(i)));  // one batch
  EXPECT_EQ(fetched(), "3");
  restore_state();
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("is older than the Maildir"), HasSubstr("3 messages")));
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "0");
  EXPECT_EQ(server.count(), 3U);  // what the backup knew as stored whole may go; what was learnt stays
  EXPECT_EQ(messages_in(home.maildir()).size(), 8U);
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(server.count(), 3U);
}

TEST_F(LostState, OlderDatabaseSeveralBatchesBehind) {
  sync();
  save_state();
  for (int i = 0; i < 4; ++i) {
    server.add(small_message("since " + std::to_string(i)));
    sync();
  }
  for (const fs::path file : message_files(home.maildir())) {
    if (content_of(file).find("since 3") != std::string::npos) fs::remove(file);
  }
  restore_state();
  EXPECT_EQ(fetched(), "1");
  expect_everything_once();
}

TEST_F(LostState, OlderDatabaseIsToldByCheck) {
  sync();
  save_state();
  server.add(small_message("since"));
  sync();
  restore_state();
  const ProgramResult result = home.run({"check"});
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("the state is older than"));
  EXPECT_EQ(fetched(), "0");
}

TEST_F(LostState, RebuildLearnsWhatRowsAreMissing) {
  sync();
  EXPECT_EQ(home.run({"refetch", "home", "--all", "--yes"}).status, 0);
  fs::remove(message_files(home.maildir()).front());
  const ProgramResult result = home.run({"rebuild", "home"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "home: 4 messages recognised by their files, 1 is not here and will be fetched\n");
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
  EXPECT_EQ(home.run({"rebuild", "home"}).out, "home: 0 messages recognised by their files, 1 is not here and will be fetched\n");
  EXPECT_EQ(fetched(), "1");
  expect_everything_once();
}

TEST_F(LostState, RebuildOfALostStateFetchesNothing) {
  sync();
  lose_state();
  server.add(small_message("later"));
  server.clear_record();
  EXPECT_EQ(home.run({"rebuild", "home"}).out, "home: 5 messages recognised by their files, 1 is not here and will be fetched\n");
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_EQ(fetched(), "1");
  expect_everything_once();
}

TEST_F(LostState, RebuildNeedsAMaildirThatPopsyncHasFilled) {
  const ProgramResult absent = home.run({"rebuild", "home"});
  EXPECT_EQ(absent.status, 73);
  EXPECT_FALSE(fs::exists(home.maildir()));
  for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home.maildir() + "/" + part);
  const ProgramResult strange = home.run({"rebuild", "home"});
  EXPECT_EQ(strange.status, 73);
  EXPECT_THAT(strange.err, HasSubstr("popsync adopt home"));
}

TEST_F(LostState, RebuildKnowsTheEntriesOfAnMbox) {
  configure_mbox();
  EXPECT_EQ(fetched(), "5");
  EXPECT_EQ(home.run({"refetch", "home", "--all", "--yes"}).status, 0);
  EXPECT_EQ(home.run({"rebuild", "home"}).out, "home: 5 messages recognised by their files, 0 are not here and will be fetched\n");
  EXPECT_EQ(fetched(), "0");
}

TEST_F(LostState, OlderDatabaseOfAnMboxIsBroughtUpToDateByRebuild) {
  configure_mbox();
  EXPECT_EQ(fetched(), "5");
  save_state();
  for (int i = 0; i < 3; ++i) server.add(small_message("since " + std::to_string(i)));
  EXPECT_EQ(fetched(), "3");
  restore_state();
  EXPECT_EQ(home.run({"rebuild", "home"}).out, "home: 3 messages recognised by their files, 0 are not here and will be fetched\n");
  EXPECT_EQ(fetched(), "0");
}

TEST_F(LostState, RebuildOfAnUnknownAccountIsAMistake) {
  EXPECT_EQ(home.run({"rebuild", "nobody"}).status, 64);
  EXPECT_EQ(home.run({"rebuild"}).status, 64);
}

}  // namespace
}  // namespace popsync::test
