// SPDX-License-Identifier: MIT
// Mailstores that were moved, copied or lost: a Maildir is known again by its id, what was unfinished is finished where it is now, nothing comes
// twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "state/state_store.h"
#include "state/transaction.h"
#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/unfinished_sync.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct MovedMailstore : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 3; ++i) server.add(small_message("message " + std::to_string(i)));
  }
  void deliver_to(const std::string& maildir, const std::vector<std::string>& more = {}) {
    home.configure({.port = server.port(), .maildir = maildir, .more = more});
  }
  void deliver_to_mbox(const std::string& mbox) {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                        "\nuser = \"alice\"\npassword = \"open-sesame\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox + "\"\n");
  }
  ProgramResult sync() { return home.run({"sync"}); }
  void expect_well() {
    const ProgramResult result = sync();
    EXPECT_EQ(result.status, 0) << result.err;
  }
  // Fetches three messages into `old`, and leaves one more unfinished there.
  void fill(Unfinished how = Unfinished::staged) {
    deliver_to(old);
    expect_well();
    server.add(small_message("unfinished"));
    leave_unfinished(server, home, {.path = old}, how);
  }
  void expect_all_in(const std::string& maildir) {
    EXPECT_EQ(messages_in(maildir), as_stored(server.messages()));
    EXPECT_TRUE(staged_in(maildir).empty());
    EXPECT_EQ(home.run({"verify"}).status, 0);
  }
  [[nodiscard]] std::size_t retrieved() const { return server.record().count("RETR"); }
  std::vector<state::MailstoreRow> mailstores() { return state::StateStore::open_existing(home.state_dir())->mailstores(); }

  MaildropServer server;
  ProgramHome home;
  const std::string old = home.folder() / "mail/old";
  const std::string now = home.folder() / "mail/now";
};

TEST_F(MovedMailstore, WhatWasStagedIsFinishedWhereTheMaildirIsNow) {
  fill();
  fs::rename(old, now);
  deliver_to(now);
  expect_well();
  expect_all_in(now);
  EXPECT_EQ(retrieved(), 4U);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_EQ(mailstores().size(), 1U);
}

TEST_F(MovedMailstore, ALinkAtTheOldPlaceLeadsToTheSameMaildir) {
  fill();
  fs::rename(old, now);
  fs::create_directory_symlink(now, old);
  deliver_to(now);
  expect_well();
  expect_all_in(now);
  deliver_to(old);
  server.add(small_message("again unfinished"));
  leave_unfinished(server, home, {.path = old});
  deliver_to(now);
  expect_well();
  expect_all_in(now);
  EXPECT_EQ(retrieved(), 5U);
}

TEST_F(MovedMailstore, AnOldPlaceThatCannotBeLookedAtIsGone) {
  fs::create_directories(home.folder() / "mail/disk");
  const std::string on_disk = home.folder() / "mail/disk/old";
  deliver_to(on_disk);
  expect_well();
  fs::rename(on_disk, now);
  fs::remove(home.folder() / "mail/disk");
  std::ofstream(home.folder() / "mail/disk") << "no folder";
  deliver_to(now);
  expect_well();
  expect_all_in(now);
  EXPECT_EQ(retrieved(), 3U);
}

TEST_F(MovedMailstore, AnotherMaildirAtTheOldPlaceIsNone) {
  fill();
  fs::rename(old, now);
  for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(old + "/" + part);
  deliver_to(now);
  expect_well();
  expect_all_in(now);
  EXPECT_TRUE(fs::is_empty(old + "/tmp"));
}

TEST_F(MovedMailstore, VerifyAndRefetchFindItBeforeAndAfterTheNextSync) {
  deliver_to(old);
  expect_well();
  fs::rename(old, now);
  deliver_to(now);
  EXPECT_EQ(home.run({"verify"}).status, 0);
  EXPECT_EQ(home.run({"check"}).status, 0);
  EXPECT_THAT(home.run({"refetch", "home", "--missing"}).out, HasSubstr("home: 0 messages will be fetched again"));
  expect_well();
  fs::remove(message_files(now).front());
  EXPECT_EQ(home.run({"verify"}).status, 65);
  EXPECT_THAT(home.run({"refetch", "home", "--missing"}).out, HasSubstr("home: 1 message will be fetched again"));
  expect_well();
  expect_all_in(now);
}

TEST_F(MovedMailstore, RefetchAllKeepsItsPromise) {
  fill();
  fs::rename(old, now);
  deliver_to(now);
  const ProgramResult refetch = home.run({"refetch", "home", "--all", "--yes"});
  EXPECT_EQ(refetch.status, 0) << refetch.err;
  EXPECT_THAT(refetch.out, HasSubstr("home: 3 messages will be fetched again"));
  EXPECT_EQ(refetch.err.find("stops"), std::string::npos) << refetch.err;
  expect_well();
  EXPECT_EQ(messages_in(now).size(), 7U);
  EXPECT_EQ(retrieved(), 7U);
}

TEST_F(MovedMailstore, ACopyStopsTheAccountUntilOneIsMeant) {
  fill();
  fs::copy(old, now, fs::copy_options::recursive);
  deliver_to(now);
  const ProgramResult stopped = sync();
  EXPECT_EQ(stopped.status, 73);
  EXPECT_THAT(stopped.err, AllOf(HasSubstr("one of them is a copy"), HasSubstr("`popsync accept home`")));
  EXPECT_EQ(home.run({"check"}).status, 73);
  EXPECT_EQ(retrieved(), 4U);
  deliver_to(old);
  expect_well();
  expect_all_in(old);
  deliver_to(now);
  EXPECT_EQ(sync().status, 73);
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 0);
  server.add(small_message("later"));
  expect_well();
  EXPECT_EQ(retrieved(), 5U);
  EXPECT_EQ(messages_in(now).size(), 4U);  // the three copied, and the new one
  EXPECT_TRUE(staged_in(now).empty());
  EXPECT_NE(content_of(old + "/tmp/.popsync/id"), content_of(now + "/tmp/.popsync/id"));
  deliver_to(old);
  expect_well();
}

TEST_F(MovedMailstore, WhatWasUnfinishedInTheOriginalOfACopyIsFinishedThere) {
  fill();
  fs::copy(old, now, fs::copy_options::recursive);
  deliver_to(now);
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 0);
  expect_well();
  EXPECT_EQ(messages_in(old), as_stored(server.messages()));
  EXPECT_TRUE(staged_in(old).empty());
  EXPECT_TRUE(staged_in(now).empty());
  EXPECT_EQ(messages_in(now).size(), 3U);
  EXPECT_EQ(retrieved(), 4U);
}

TEST_F(MovedMailstore, AnOlderOneAtTheNewPlaceIsNotTakenAsItIs) {
  deliver_to(old);
  expect_well();
  fs::copy(old, home.folder() / "backup", fs::copy_options::recursive);
  server.add(small_message("since"));
  expect_well();
  fs::remove_all(old);
  fs::rename(home.folder() / "backup", now);
  deliver_to(now);
  const ProgramResult stopped = sync();
  EXPECT_EQ(stopped.status, 73);
  EXPECT_THAT(stopped.err, HasSubstr("is older than the state"));
  EXPECT_THAT(home.run({"accept", "home", "--mailstore"}).out,
              AllOf(HasSubstr("4 messages stored there, 1 of them not in what is there now"), HasSubstr("goes on with")));
  expect_well();
  EXPECT_EQ(home.run({"refetch", "home", "--missing"}).status, 0);
  expect_well();
  expect_all_in(now);
}

// As 0.1.0 left it: a row for each path.
TEST_F(MovedMailstore, OfTwoPathsWithOneIdTheHigherGenerationCounts) {
  deliver_to(old);
  expect_well();
  fs::copy(old, home.folder() / "backup", fs::copy_options::recursive);
  fs::rename(old, now);
  {
    const auto store = state::StateStore::open(home.state_dir());
    const state::MailstoreRow row = store->mailstores().at(0);
    const std::string account = store->accounts().at(0).id;
    auto transaction = store->begin();
    transaction.insert_mailstore(account, now, row.store_id);
    transaction.commit();
  }
  deliver_to(now);
  expect_well();
  ASSERT_EQ(mailstores().size(), 1U);
  EXPECT_EQ(mailstores().at(0).path, now);
  server.add(small_message("since"));
  expect_well();
  expect_all_in(now);
  EXPECT_EQ(retrieved(), 4U);
  fs::remove_all(now);
  fs::rename(home.folder() / "backup", now);
  EXPECT_THAT(sync().err, HasSubstr("is older than the state"));
}

TEST_F(MovedMailstore, EachAccountFollowsASharedMaildirByItself) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  const auto configure = [&](const std::string& alice, const std::string& bob) {
    home.configure_all(
        {{.name = "home", .port = server.port(), .maildir = alice}, {.name = "bob", .port = server.port(), .user = "bob", .maildir = bob}});
  };
  configure(old, old);
  expect_well();
  fs::rename(old, now);
  configure(now, old);
  const ProgramResult half = sync();
  EXPECT_EQ(half.status, 73);
  EXPECT_THAT(half.err, AllOf(HasSubstr("bob: "), Not(HasSubstr("error: home"))));
  EXPECT_FALSE(fs::exists(old));
  configure(now, now);
  expect_well();
  EXPECT_EQ(home.run({"verify"}).status, 0);
  EXPECT_EQ(messages_in(now).size(), 4U);
  EXPECT_EQ(retrieved(), 4U);
}

TEST_F(MovedMailstore, ARenamedAccountTakesItsFolderAlong) {
  const std::string pattern = home.folder() / "mail/{name}";
  home.configure({.port = server.port(), .maildir = pattern});
  expect_well();
  server.add(small_message("unfinished"));
  leave_unfinished(server, home, {.path = home.folder() / "mail/home"});
  EXPECT_EQ(home.run({"rename", "home", "private"}).status, 0);
  fs::rename(home.folder() / "mail/home", home.folder() / "mail/private");
  home.configure({.name = "private", .port = server.port(), .maildir = pattern});
  expect_well();
  expect_all_in(home.folder() / "mail/private");
  EXPECT_EQ(retrieved(), 4U);
}

// The account has left it, and it is lost with what was unfinished in it.
struct LostMailstore : MovedMailstore {
  void lose() {
    fill();
    fs::remove_all(old);
    deliver_to(now, {"leave_on_server = false"});
  }
};

TEST_F(LostMailstore, StopsTheAccountUntilItIsGivenUp) {
  lose();
  for (int i = 0; i < 2; ++i) {
    const ProgramResult stopped = sync();
    EXPECT_EQ(stopped.status, 73);
    EXPECT_THAT(stopped.err, AllOf(HasSubstr("unfinished"), HasSubstr(old), HasSubstr("`popsync accept home`")));
  }
  EXPECT_THAT(home.run({"refetch", "home", "--all", "--yes"}).err, HasSubstr("the next sync stops"));
}

TEST_F(LostMailstore, GivenUpItsUnfinishedMessagesAreFetchedAgainAndTheRestStaysOnTheServer) {
  lose();
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 64);
  const ProgramResult accepted = home.run({"accept", "home", "--gone"});
  EXPECT_EQ(accepted.status, 0) << accepted.err;
  EXPECT_THAT(accepted.out, AllOf(HasSubstr("1 unfinished message will be fetched again"), HasSubstr("3 messages stored there stay"),
                                  HasSubstr("`popsync refetch home --missing`")));
  expect_well();
  EXPECT_EQ(messages_in(now), as_stored({small_message("unfinished")}));
  EXPECT_EQ(server.count(), 3U);
  EXPECT_EQ(home.run({"verify"}).status, 65);
  EXPECT_THAT(home.run({"refetch", "home", "--missing"}).out, HasSubstr("home: 3 messages will be fetched again"));
  expect_well();
  EXPECT_EQ(messages_in(now).size(), 4U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(home.run({"verify"}).status, 0);
}

TEST_F(LostMailstore, WithNothingUnfinishedOnlyVerifyMissesIt) {
  deliver_to(old);
  expect_well();
  fs::remove_all(old);
  deliver_to(now);
  expect_well();
  const ProgramResult verify = home.run({"verify"});
  EXPECT_EQ(verify.status, 73);
  EXPECT_THAT(verify.err, HasSubstr("`popsync accept home`"));
  EXPECT_EQ(home.run({"accept", "home", "--gone"}).status, 0);
  EXPECT_EQ(home.run({"verify"}).status, 65);
  EXPECT_EQ(home.run({"refetch", "home", "--missing"}).status, 0);
  expect_well();
  expect_all_in(now);
}

struct MovedMbox : MovedMailstore {
  void fill_mbox(Unfinished how = Unfinished::staged) {
    deliver_to_mbox(old);
    expect_well();
    server.add(small_message("unfinished"));
    leave_unfinished(server, home, {.path = old, .kind = state::MailstoreKind::mbox}, how);
  }
  static std::vector<std::string> messages_of(const std::string& mbox) {
    std::vector<std::string> messages;
    for (MboxText& entry : entries_of(content_of(mbox))) messages.push_back(std::move(entry.message));
    std::ranges::sort(messages);
    return messages;
  }
};

TEST_F(MovedMbox, WhatWasUnfinishedIsAppendedWhereTheAccountDeliversNow) {
  fill_mbox();
  fs::rename(old, now);
  deliver_to_mbox(now);
  expect_well();
  EXPECT_EQ(messages_of(now), as_stored(server.messages()));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_EQ(retrieved(), 4U);
  expect_well();
}

TEST_F(MovedMbox, WhatStandsInItAlreadyIsFoundByItsMarker) {
  fill_mbox(Unfinished::written);
  fs::rename(old, now);
  fs::create_symlink(now, old);
  deliver_to_mbox(now);
  expect_well();
  EXPECT_EQ(messages_of(now), as_stored(server.messages()));
  EXPECT_EQ(retrieved(), 4U);
}

TEST_F(MovedMbox, VerifyFindsWhatWasMovedByItsMarkers) {
  deliver_to_mbox(old);
  expect_well();
  fs::rename(old, now);
  fs::create_symlink(now, old);
  deliver_to_mbox(now);
  server.add(small_message("later"));
  expect_well();
  EXPECT_EQ(home.run({"verify"}).status, 0);
  EXPECT_THAT(home.run({"refetch", "home", "--missing"}).out, HasSubstr("home: 0 messages"));
}

TEST_F(MovedMbox, WhereTheOldOneIsThereItIsFinishedThere) {
  fill_mbox();
  deliver_to_mbox(now);
  server.add(small_message("later"));
  expect_well();
  EXPECT_EQ(messages_of(old).size(), 4U);
  EXPECT_EQ(messages_of(now), as_stored({small_message("later")}));
  EXPECT_EQ(retrieved(), 5U);
}

TEST_F(MovedMbox, AMaildirCannotTakeItsEntries) {
  fill_mbox();
  fs::remove(old);
  deliver_to(now);
  EXPECT_EQ(sync().status, 73);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_FALSE(fs::exists(now));
  EXPECT_EQ(home.run({"accept", "home", "--gone"}).status, 0);
  expect_well();
  EXPECT_EQ(messages_in(now), as_stored({small_message("unfinished")}));
  EXPECT_FALSE(fs::exists(old));
}

}  // namespace
}  // namespace popsync::test
