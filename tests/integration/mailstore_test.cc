// SPDX-License-Identifier: MIT
// The Maildir's side of the promise: never mistaken for another, never made anew, never a reason to delete what is not here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

void give_away(const std::string& path) { ASSERT_EQ(::lchown(path.c_str(), kNobody, kNobody), 0) << path; }

struct Mailstore : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 5; ++i) server.add(small_message("message " + std::to_string(i)));
    home.configure({.port = server.port()});
  }
  ProgramResult sync() { return home.run({"sync"}); }
  std::string fetched() { return json_at(home.run({"sync", "--json"}).out, "accounts[0].fetched"); }
  // Root's files become nobody's, and the program runs as nobody: then permissions bind.
  [[nodiscard]] ProgramCall unprivileged(std::vector<std::string> arguments) const {
    ProgramCall call = home.call(std::move(arguments));
    call.unprivileged = true;
    if (::geteuid() != 0) return call;
    give_away(home.folder().path());
    for (const auto& entry : fs::recursive_directory_iterator(home.folder().path())) give_away(entry.path());
    return call;
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(Mailstore, GoneMaildirStopsTheAccountAndIsNotMadeAnew) {
  sync();
  fs::rename(home.maildir(), home.maildir() + ".away");
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 73);
  EXPECT_THAT(result.err, AllOf(HasSubstr("mailstore is gone"), HasSubstr("`popsync accept home`")));
  EXPECT_FALSE(fs::exists(home.maildir()));
  fs::rename(home.maildir() + ".away", home.maildir());
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(Mailstore, EmptyFolderOfAnUnmountedDiskIsNoMailstore) {
  sync();
  fs::rename(home.maildir(), home.maildir() + ".away");
  fs::create_directory(home.maildir());
  EXPECT_EQ(sync().status, 73);
  EXPECT_TRUE(fs::is_empty(home.maildir()));
}

TEST_F(Mailstore, AnotherMaildirInItsPlaceIsNotTaken) {
  sync();
  fs::rename(home.maildir(), home.maildir() + ".away");
  for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home.maildir() + "/" + part);
  EXPECT_EQ(sync().status, 73);
}

TEST_F(Mailstore, NothingIsDeletedOnTheServerWhileItIsGone) {
  sync();
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  fs::rename(home.maildir(), home.maildir() + ".away");
  EXPECT_EQ(sync().status, 73);
  EXPECT_EQ(server.count(), 5U);
}

TEST_F(Mailstore, AcceptedNewFolderGoesOnWithoutFetchingAgain) {
  sync();
  fs::remove_all(home.maildir());
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 0);
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()), as_stored({small_message("later")}));
}

TEST_F(Mailstore, MissingMessagesCanBeFetchedAgainAfterTheFolderWasAccepted) {
  sync();
  fs::remove_all(home.maildir());
  home.run({"accept", "home", "--mailstore"});
  EXPECT_EQ(home.run({"verify"}).status, 65);
  EXPECT_EQ(home.run({"refetch", "home", "--missing"}).status, 0);
  EXPECT_EQ(fetched(), "5");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(Mailstore, MaildirOfAnotherStateIsRefused) {
  sync();
  const ProgramHome other;
  other.configure({.port = server.port()});
  EXPECT_EQ(other.run({"sync"}).status, 0);  // a state with a key of its own
  other.configure({.port = server.port(), .maildir = home.maildir()});
  const ProgramResult result = other.run({"sync"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("--state-dir"));
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(Mailstore, FolderOfSomethingElseIsRefused) {
  fs::create_directories(home.maildir());
  (void)home.folder().write("mail/home/thesis.tex", "precious");
  EXPECT_EQ(sync().status, 73);
  EXPECT_EQ(home.folder().read("mail/home/thesis.tex"), "precious");
}

TEST_F(Mailstore, ExistingMaildirIsTakenWithItsMailUntouched) {
  for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home.maildir() + "/" + part);
  (void)home.folder().write("mail/home/cur/1.x.host:2,S", "Subject: old\n\n");
  EXPECT_EQ(home.run({"accept", "home", "--foreign-mail"}).status, 0);
  EXPECT_EQ(fetched(), "5");
  EXPECT_EQ(messages_in(home.maildir()).size(), 6U);
}

TEST_F(Mailstore, TwoAccountsShareAMaildir) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  home.configure_all({{.name = "alice", .port = server.port(), .maildir = home.maildir()},
                      {.name = "bob", .port = server.port(), .user = "bob", .maildir = home.maildir()}});
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(sync().out, "");
  EXPECT_EQ(messages_in(home.maildir()).size(), 6U);
}

TEST_F(Mailstore, RenamedAccountTakesItsStateOver) {
  sync();
  home.configure({.name = "private", .port = server.port(), .maildir = home.maildir()});
  const ProgramResult result = home.run({"sync", "--json"});
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "0");
  EXPECT_THAT(result.err, HasSubstr("continues the state"));
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(Mailstore, OtherHostIsTheSameAccount) {
  sync();
  home.configure({.port = server.port(), .host = "localhost"});
  EXPECT_EQ(fetched(), "0");
}

TEST_F(Mailstore, OtherUserUnderTheSameNameNeedsTheOperator) {
  sync();
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  home.configure({.port = server.port(), .user = "bob"});
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, AllOf(HasSubstr("popsync rename"), HasSubstr("popsync forget")));
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
  EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "accounts[0].state"), "needs_operator");
}

TEST_F(Mailstore, NewMaildirPathFetchesNothingAgain) {
  sync();
  const std::string elsewhere = home.folder() / "mail/elsewhere";
  home.configure({.port = server.port(), .maildir = elsewhere});
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(elsewhere), as_stored({small_message("later")}));
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(Mailstore, FlagsAndMovesOfAMailReaderChangeNothing) {
  sync();
  const auto files = message_files(home.maildir());
  fs::rename(files[0], home.maildir() + "/cur/" + fs::path(files[0]).filename().string() + ":2,S");
  fs::remove(files[1]);
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
}

TEST_F(Mailstore, UnwritableNewDeletesNothingAndRecovers) {
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  const auto stored = as_stored(server.messages());
  EXPECT_EQ(run_program(unprivileged({"sync"})).status, 0);
  server.add(small_message("next"));
  ASSERT_EQ(::chmod((home.maildir() + "/new").c_str(), 0500), 0);
  const ProgramResult result = run_program(unprivileged({"sync"}));
  ::chmod((home.maildir() + "/new").c_str(), 0700);
  EXPECT_THAT(result.status, testing::AnyOf(73, 74)) << result.err;
  EXPECT_EQ(server.count(), 1U);
  EXPECT_EQ(run_program(unprivileged({"sync"})).status, 0);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(home.maildir()).size(), 6U);
}

TEST_F(Mailstore, NewThatVanishesDuringTheTransferDeletesNothing) {
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  server.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = 3, .octets = 20}; });
  const auto run = home.start({"sync"});
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  fs::remove_all(home.maildir() + "/new");
  (void)home.folder().write("mail/home/new", "in the way");
  server.release_stalled();
  EXPECT_NE(run->wait().status, 0);
  EXPECT_EQ(server.count(), 5U);
  fs::remove(home.maildir() + "/new");
  fs::create_directory(home.maildir() + "/new");
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(home.maildir()).size(), 5U);
}

TEST_F(Mailstore, StateOfAnotherUserIsRefused) {
  if (::geteuid() == 0) {
    sync();
    ASSERT_EQ(::chown(home.state_dir().c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(sync().status, 73);
  } else {
    ProgramCall call = home.call({"sync"});
    call.arguments.back() = "/usr";  // root's
    EXPECT_EQ(run_program(call).status, 73);
  }
}

TEST_F(Mailstore, FilesAreTheUsersAlone) {
  sync();
  struct stat found {};
  for (const std::string& file : message_files(home.maildir())) {
    ASSERT_EQ(::stat(file.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777U, 0600U);
  }
  ASSERT_EQ(::stat(home.state_dir().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0700U);
  ASSERT_EQ(::stat((home.state_dir() + "/state.db").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

}  // namespace
}  // namespace popsync::test
