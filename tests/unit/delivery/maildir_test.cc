// SPDX-License-Identifier: MIT
#include "delivery/maildir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "base/error.h"
#include "unit/config/temp_folder.h"

namespace popsync::delivery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace stdfs = std::filesystem;

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

MailstoreOwner owner(const std::string& account = "0123456789abcdef", char key = 'k') {
  return {.install_key = std::string(32, key), .account_id = account, .account_name = "work", .user = "me", .host = "pop.example.org"};
}

class MaildirTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& below = "") const { return folder_.path() + "/Mail/work" + (below.empty() ? "" : "/" + below); }
  [[nodiscard]] Inspection look() const { return inspect(real_fs(), path(), owner().install_key); }
  Maildir make(const MailstoreOwner& by = owner()) { return Maildir::make(real_fs(), path(), by); }
  Maildir open(const std::string& id, const MailstoreOwner& by = owner()) { return Maildir::open(real_fs(), path(), by, id); }
  void write(const std::string& below, const std::string& content) { folder_.write("Mail/work/" + below, content); }
  [[nodiscard]] std::vector<std::string> names(const std::string& below) const { return real_fs().list(real_fs().open_root(path(below))->get()); }
  [[nodiscard]] MailstoreId id_file() const { return parse_mailstore_id(config::content_of(path("tmp/.popsync/id"))).value(); }
  void stage(Maildir& maildir, const std::string& name, const std::string& content) {
    const auto message = maildir.staging().begin(name);
    message->write(content);
    message->finish();
    message->start_sync(pool_);
    message->wait_synced();
    message->keep();
  }

  config::TempFolder folder_;
  SyncPool pool_{0};
};

TEST_F(MaildirTest, TheLineOfAnAccountFollowsItsUserHostAndPort) {
  MailstoreOwner now = owner();
  now.port = 110;
  const std::string id = make(now).id();
  make(owner("fedcba9876543210"));
  EXPECT_FALSE(open(id, now).owner_changed());
  now.user = "me@example.org";
  EXPECT_TRUE(open(id, now).owner_changed());
  rename_owner(real_fs(), path(), now);
  EXPECT_FALSE(open(id, now).owner_changed());
  EXPECT_FALSE(open(id, owner("fedcba9876543210")).owner_changed());
  ASSERT_EQ(id_file().accounts.size(), 2U);
  EXPECT_EQ(id_file().accounts.front().user, "me@example.org");
  now.host = "mail.example.org";
  EXPECT_TRUE(open(id, now).owner_changed());
  now.host = owner().host;
  now.port = 10110;
  EXPECT_TRUE(open(id, now).owner_changed());
}

TEST_F(MaildirTest, ALineWithoutAPortIsRightAndAnAccountWithoutALineGetsNone) {
  const std::string id = make().id();
  MailstoreOwner now = owner();
  now.port = 995;
  EXPECT_FALSE(open(id, now).owner_changed());
  const MailstoreOwner other = owner("fedcba9876543210");
  EXPECT_FALSE(open(id, other).owner_changed());
  rename_owner(real_fs(), path(), other);
  EXPECT_EQ(id_file().accounts.size(), 1U);
}

TEST_F(MaildirTest, MakeCreatesItWithItsParentsForUsAlone) {
  EXPECT_EQ(look().condition, MailstoreCondition::absent);
  const Maildir maildir = make();
  for (const std::string folder : {"", "tmp", "new", "cur", "tmp/.popsync"}) {
    struct stat found {};
    ASSERT_EQ(::stat(path(folder).c_str(), &found), 0) << folder;
    EXPECT_EQ(found.st_mode & 07777U, 0700U) << folder;
  }
  struct stat parent {};
  ASSERT_EQ(::stat((folder_.path() + "/Mail").c_str(), &parent), 0);
  EXPECT_EQ(parent.st_mode & 07777U, 0700U);
  EXPECT_EQ(maildir.id().size(), 32U);
  EXPECT_EQ(look().condition, MailstoreCondition::ours);
  EXPECT_EQ(look().id, maildir.id());
}

TEST_F(MaildirTest, MakeLeavesNothingButFolders) {
  (void)make();
  EXPECT_THAT(names("new"), IsEmpty());
  EXPECT_THAT(names("cur"), IsEmpty());
  EXPECT_THAT(names("tmp"), ElementsAre(".popsync"));
  EXPECT_EQ(names("tmp/.popsync").size(), 2U);  // the id and the account's staging folder
}

TEST_F(MaildirTest, TheIdFileIsForUsAloneBecauseItHoldsTheInstallKey) {
  (void)make();
  struct stat found {};
  ASSERT_EQ(::stat(path("tmp/.popsync/id").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

TEST_F(MaildirTest, AnExistingMaildirGetsAnIdAndKeepsItsMail) {
  write("new/1.a.host", "one");
  write("cur/2.b.host:2,S", "two");
  write("tmp/3.c.host", "three");
  EXPECT_EQ(look().condition, MailstoreCondition::maildir);
  (void)make();
  EXPECT_EQ(look().condition, MailstoreCondition::ours);
  EXPECT_EQ(config::content_of(path("new/1.a.host")), "one");
  EXPECT_EQ(config::content_of(path("cur/2.b.host:2,S")), "two");
  EXPECT_EQ(config::content_of(path("tmp/3.c.host")), "three");
}

TEST_F(MaildirTest, AMaildirOfAReaderWithFilesOfItsOwnIsAMaildir) {
  for (const std::string folder : {"tmp", "new", "cur", ".Sent/cur"}) stdfs::create_directories(path(folder));
  write("dovecot.index", "x");
  EXPECT_EQ(look().condition, MailstoreCondition::maildir);
}

TEST_F(MaildirTest, AFolderOfSomethingElseIsRefusedUntouched) {
  write("notes.txt", "precious");
  EXPECT_EQ(look().condition, MailstoreCondition::other);
  EXPECT_EQ(error_of([&] { (void)make(); }).code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(names(""), ElementsAre("notes.txt"));
}

TEST_F(MaildirTest, APathThatIsAFileIsRefused) {
  folder_.write("Mail/work", "x");
  EXPECT_EQ(error_of([&] { (void)make(); }).code(), ErrorCode::mailstore_unavailable);
}

TEST_F(MaildirTest, AnEmptyFolderAndAHalfMadeMaildirAreCompleted) {
  stdfs::create_directories(path());
  EXPECT_EQ(look().condition, MailstoreCondition::empty);
  stdfs::create_directories(path("tmp/.popsync"));  // the power went before the id was written
  EXPECT_EQ(look().condition, MailstoreCondition::empty);
  stdfs::create_directories(path("new"));
  EXPECT_EQ(look().condition, MailstoreCondition::empty);
  (void)make();
  EXPECT_EQ(look().condition, MailstoreCondition::ours);
}

TEST_F(MaildirTest, MadeAgainItKeepsItsId) {
  const std::string id = make().id();
  EXPECT_EQ(make().id(), id);
}

TEST_F(MaildirTest, MadeAgainAfterAKillItLeavesNoProbe) {
  (void)make();
  std::string staging;
  for (const std::string& name : names("tmp/.popsync")) {
    if (name != "id") staging = "tmp/.popsync/" + name;
  }
  for (const std::string& folder : {std::string("new"), std::string("cur"), staging}) {
    write(folder + "/.popsync-probe." + owner().account_id, "");
    (void)make();
    for (const std::string& each : {std::string("new"), std::string("cur"), staging}) EXPECT_THAT(names(each), IsEmpty()) << folder << " " << each;
  }
}

TEST_F(MaildirTest, TwoMaildirsNeverShareAnId) {
  const std::string first = make().id();
  EXPECT_NE(Maildir::make(real_fs(), folder_.path() + "/Mail/other", owner()).id(), first);
}

TEST_F(MaildirTest, TheRootMayBeALink) {
  stdfs::create_directories(folder_.path() + "/disk");
  stdfs::create_directories(folder_.path() + "/Mail");
  stdfs::create_symlink("../disk", path());
  const std::string id = make().id();
  EXPECT_TRUE(stdfs::exists(folder_.path() + "/disk/new"));
  EXPECT_EQ(open(id).id(), id);
}

TEST_F(MaildirTest, AFolderBelowTheRootMayNotBeALink) {
  for (const std::string folder : {"new", "cur", "tmp"}) {
    stdfs::remove_all(path());
    const std::string id = make().id();
    stdfs::create_directories(folder_.path() + "/elsewhere");
    stdfs::rename(path(folder), path("was_" + folder));
    stdfs::create_symlink(folder_.path() + "/elsewhere", path(folder));
    EXPECT_EQ(error_of([&] { (void)open(id); }).code(), ErrorCode::mailstore_unavailable) << folder;
    EXPECT_EQ(error_of([&] { (void)make(); }).code(), ErrorCode::mailstore_unavailable) << folder;
    EXPECT_TRUE(stdfs::is_empty(folder_.path() + "/elsewhere")) << folder;
  }
}

TEST_F(MaildirTest, OpenRecognisesItByItsId) {
  const std::string id = make().id();
  const Maildir maildir = open(id);
  EXPECT_EQ(maildir.id(), id);
  EXPECT_EQ(maildir.path(), path());
}

TEST_F(MaildirTest, OpenMakesNoMaildirWhereThereIsNone) {
  const Error absent = error_of([&] { (void)open("x"); });
  EXPECT_EQ(absent.code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(absent.message(), HasSubstr("mailstore is gone"));
  EXPECT_THAT(absent.hint(), HasSubstr("popsync accept work"));
  EXPECT_FALSE(stdfs::exists(path()));
  stdfs::create_directories(path());  // the mount point of a disk that is not mounted
  EXPECT_EQ(error_of([&] { (void)open("x"); }).code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(names(""), IsEmpty());
}

TEST_F(MaildirTest, WithoutItsIdOrWithAnotherOneItIsGone) {
  const std::string id = make().id();
  EXPECT_EQ(error_of([&] { (void)open(std::string(32, '0')); }).code(), ErrorCode::mailstore_unavailable);
  stdfs::remove(path("tmp/.popsync/id"));
  EXPECT_EQ(error_of([&] { (void)open(id); }).code(), ErrorCode::mailstore_unavailable);
  EXPECT_EQ(look().condition, MailstoreCondition::maildir);
}

TEST_F(MaildirTest, ADamagedIdIsNotOverwritten) {
  const std::string id = make().id();
  write("tmp/.popsync/id", "");
  for (const Error& error : {error_of([&] { (void)open(id); }), error_of([&] { (void)make(); }), error_of([&] { (void)look(); })}) {
    EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
    EXPECT_THAT(error.message(), HasSubstr("damaged"));
  }
  EXPECT_EQ(config::content_of(path("tmp/.popsync/id")), "");
}

TEST_F(MaildirTest, AnotherStatesMaildirIsForeign) {
  const std::string id = make(owner("0123456789abcdef", 'o')).id();
  const std::string before = config::content_of(path("tmp/.popsync/id"));
  EXPECT_EQ(look().condition, MailstoreCondition::foreign);
  EXPECT_EQ(look().id, id);
  EXPECT_EQ(error_of([&] { (void)make(); }).code(), ErrorCode::mailstore_foreign);
  EXPECT_EQ(error_of([&] { (void)open(id); }).code(), ErrorCode::mailstore_foreign);
  EXPECT_EQ(config::content_of(path("tmp/.popsync/id")), before);
}

TEST_F(MaildirTest, ASecondAccountOfTheSameStateIsAddedToTheIdFile) {
  const std::string id = make().id();
  MailstoreOwner second = owner("fedcba9876543210");
  second.user = "you";
  EXPECT_EQ(make(second).id(), id);
  const MailstoreId found = id_file();
  EXPECT_EQ(found.install_key, owner().install_key);
  EXPECT_THAT(found.accounts, ElementsAre(MailstoreId::Account{.id = "0123456789abcdef", .user = "me", .host = "pop.example.org"},
                                          MailstoreId::Account{.id = "fedcba9876543210", .user = "you", .host = "pop.example.org"}));
  EXPECT_EQ(names("tmp/.popsync").size(), 3U);  // each has a staging folder of its own
}

TEST_F(MaildirTest, AnAccountOfALostDatabaseGivesWayToItsSuccessor) {
  (void)make();
  (void)make(owner("fedcba9876543210"));
  EXPECT_THAT(id_file().accounts, ElementsAre(MailstoreId::Account{.id = "fedcba9876543210", .user = "me", .host = "pop.example.org"}));
}

TEST_F(MaildirTest, AnAccountThatMovedIsNotedOnce) {
  (void)make();
  MailstoreOwner moved = owner();
  moved.host = "pop2.example.org";
  (void)make(moved);
  EXPECT_THAT(id_file().accounts, ElementsAre(MailstoreId::Account{.id = "0123456789abcdef", .user = "me", .host = "pop2.example.org"}));
}

TEST_F(MaildirTest, TheStagingFolderIsMadeAgainWhenACleanerTookIt) {
  const std::string id = make().id();
  for (const std::string& name : names("tmp/.popsync")) {
    if (name != "id") stdfs::remove(path("tmp/.popsync/" + name));
  }
  Maildir maildir = open(id);
  EXPECT_THAT(maildir.staging().names(), IsEmpty());
}

TEST_F(MaildirTest, PublishMovesAWholeFileIntoNew) {
  Maildir maildir = make();
  stage(maildir, "m", "Subject: x\r\n\r\nbody\r\n");
  EXPECT_THAT(names("new"), IsEmpty());
  EXPECT_TRUE(maildir.publish("m"));
  maildir.sync_new();
  maildir.sync_cur();
  maildir.staging().sync();
  EXPECT_THAT(names("new"), ElementsAre("m"));
  EXPECT_EQ(config::content_of(path("new/m")), "Subject: x\n\nbody\n");
  EXPECT_THAT(maildir.staging().names(), IsEmpty());
}

TEST_F(MaildirTest, PublishingWhatIsNotStagedSaysSo) {
  Maildir maildir = make();
  EXPECT_FALSE(maildir.publish("m"));
  EXPECT_THAT(names("new"), IsEmpty());
}

TEST_F(MaildirTest, PublishedNamesAreThoseThatPopsyncGave) {
  Maildir maildir = make();
  write("new/a", "1");
  write("cur/b:2,FS", "2");
  write("cur/c,U=7:2,S", "3");
  write("cur/d;2,S", "4");
  write("cur/e!2,S", "5");
  const auto found = maildir.published_names({});
  EXPECT_EQ(found.size(), 5U);
  for (const std::string name : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(found.contains(name)) << name;
  EXPECT_EQ(found.at("b").name, "b:2,FS");
}

TEST_F(MaildirTest, AFailedCopyLeavesNothing) {
  Maildir maildir = make();
  stage(maildir, "x", "message");
  EXPECT_FALSE(maildir.staging().copy(maildir.staging().dir(), "x", "y", sha256("another")));
  EXPECT_FALSE(maildir.staging().copy(maildir.staging().dir(), "gone", "y", sha256("message")));
  EXPECT_THAT(maildir.staging().names(), ElementsAre("x"));
  EXPECT_TRUE(maildir.staging().copy(maildir.staging().dir(), "x", "y", sha256("message")));
  EXPECT_EQ(maildir.staging().sha256_of("y"), sha256("message"));
}

TEST_F(MaildirTest, KnowsWhatIsOnItsDisk) {
  Maildir maildir = make();
  EXPECT_TRUE(maildir.shares_device(folder_.path()));
  EXPECT_FALSE(maildir.shares_device("/proc"));
  EXPECT_FALSE(maildir.shares_device(folder_.path() + "/none"));
}

TEST_F(MaildirTest, SameFileIsTheInodeOrTheContent) {
  Maildir maildir = make();
  stage(maildir, "linked", "x");
  stage(maildir, "copied", "copy");
  stage(maildir, "different", "1234");
  stage(maildir, "absent", "x");
  const std::string staging = "/proc/self/fd/" + std::to_string(maildir.staging().dir()) + "/";
  ASSERT_EQ(::link((stdfs::canonical(staging + "linked")).c_str(), path("cur/linked:2,S").c_str()), 0);
  write("new/copied", "copy");
  write("new/different", "4321");
  const auto found = maildir.published_names({});
  EXPECT_TRUE(maildir.same_file("linked", found.at("linked")));
  EXPECT_TRUE(maildir.same_file("copied", found.at("copied")));
  EXPECT_FALSE(maildir.same_file("different", found.at("different")));
  EXPECT_FALSE(maildir.same_file("none", found.at("copied")));
  EXPECT_FALSE(maildir.same_file("absent", {.dir = found.at("copied").dir, .name = "none"}));
}

TEST_F(MaildirTest, TellsTheSpaceThatIsLeft) { EXPECT_GT(make().free_octets(), 0U); }

}  // namespace
}  // namespace popsync::delivery
