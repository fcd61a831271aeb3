// SPDX-License-Identifier: MIT
#include "sync/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "state/transaction.h"
#include "support/failing_fs.h"
#include "unit/config/temp_folder.h"

namespace popsync::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;
namespace stdfs = std::filesystem;

constexpr const char* kAccount = "0123456789abcdef";

// The kernel's files until the n-th call that could change something or prove something; from there on every call fails, as for a process that is
// killed. What was done before stays.
class DyingFs : public Fs {
 public:
  explicit DyingFs(std::size_t calls) : calls_left_(calls) {}
  [[nodiscard]] bool died() const { return died_; }

  std::optional<UniqueFd> open_root(const std::string& path) override { return alive().open_root(path); }
  std::optional<UniqueFd> open_directory(int dir, const std::string& name) override { return alive().open_directory(dir, name); }
  bool make_directory(int dir, const std::string& name) override { return step().make_directory(dir, name); }
  UniqueFd create(int dir, const std::string& name) override { return step().create(dir, name); }
  std::optional<UniqueFd> open(int dir, const std::string& name) override { return alive().open(dir, name); }
  UniqueFd open_append(int dir, const std::string& name) override { return step().open_append(dir, name); }
  std::optional<UniqueFd> reopen_append(int dir, const std::string& name) override { return alive().reopen_append(dir, name); }
  void write(int fd, std::string_view octets) override { step().write(fd, octets); }
  std::string read_at(int fd, std::uint64_t offset, std::size_t octets_max) override { return alive().read_at(fd, offset, octets_max); }
  void truncate(int fd, std::uint64_t size) override { step().truncate(fd, size); }
  FileStat stat_open(int fd) override { return alive().stat_open(fd); }
  void mark_unread(int fd) override { alive().mark_unread(fd); }
  std::string read(int fd, std::size_t octets_max) override { return alive().read(fd, octets_max); }
  void sync_file(int fd) override { step().sync_file(fd); }
  bool sync_names(int dir) override { return step().sync_names(dir); }
  void complete_syncs(int fd) override { alive().complete_syncs(fd); }
  bool lacks_journal(int fd) override { return alive().lacks_journal(fd); }
  void close(UniqueFd fd) override { step().close(std::move(fd)); }
  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override { return step().rename(from_dir, from, to_dir, to); }
  bool unlink(int dir, const std::string& name) override { return step().unlink(dir, name); }
  bool remove_directory(int dir, const std::string& name) override { return step().remove_directory(dir, name); }
  std::vector<std::string> list(int dir) override { return alive().list(dir); }
  std::optional<FileStat> stat(int dir, const std::string& name) override { return alive().stat(dir, name); }
  std::uint64_t free_octets(int dir) override { return alive().free_octets(dir); }

 private:
  Fs& alive() const {
    if (died_) throw Error(ErrorCode::io_error, "killed");
    return real_fs();
  }
  Fs& step() {
    if (calls_left_ == 0) died_ = true;
    Fs& fs = alive();
    --calls_left_;
    return fs;
  }

  std::size_t calls_left_;
  bool died_ = false;
};

// A state and a Maildir as a crash left them.
class Site {
 public:
  Site() : store_(state::StateStore::open(folder_.path() + "/state")) {
    account_.id = kAccount;
    account_.name = "work";
    account_.host = "pop.example.org";
    account_.user = "me";
    auto transaction = store_->begin();
    transaction.insert_account(account_);
    transaction.commit();
    current_.emplace(open(path_));
  }

  OpenMailstore open(const std::string& path, Fs& fs = real_fs()) { return open_mailstore(*store_, fs, account_, {.path = path}); }

  // A STAGED row; its file is wherever the test puts it.
  state::RowId record(const std::string& name, const std::string& content, bool suspect = false, std::optional<state::RowId> mailstore = {}) {
    const delivery::Prints prints = delivery::prints_of(content);
    auto transaction = store_->begin();
    const state::RowId row = transaction.insert_staged({.account = kAccount,
                                                        .mailstore = mailstore.value_or(current_->row.id),
                                                        .uid = {"uid of " + name},
                                                        .list_size = content.size(),
                                                        .prints = {.wire_octets = content.size(),
                                                                   .stored_size = prints.stored_size,
                                                                   .sha256 = prints.sha256,
                                                                   .fingerprint = prints.fingerprint,
                                                                   .header_hash = prints.header_hash,
                                                                   .has_message_id = false},
                                                        .name = name,
                                                        .suspect = suspect,
                                                        .at = clock_.reading()});
    transaction.commit();
    return row;
  }

  void record_published(state::RowId row) {
    auto transaction = store_->begin();
    transaction.record_published(row, true, clock_.reading());
    transaction.commit();
  }

  void put(const std::string& below, const std::string& content) { folder_.write("Mail/work/" + below, content); }
  void stage(const std::string& name, const std::string& content) {
    folder_.write(stdfs::relative(staging_path(), folder_.path()).string() + "/" + name, content);
  }
  [[nodiscard]] std::string staging_path() { return stdfs::read_symlink("/proc/self/fd/" + std::to_string(current_->maildir->staging().dir())); }

  Recovered recover() { return sync::recover(*store_, real_fs(), clock_, account_, &*current_, never_); }

  // As a process does it that begins anew; through `fs`.
  Recovered recover_anew(Fs& fs) {
    OpenMailstore opened = open(path_, fs);
    return sync::recover(*store_, fs, clock_, account_, &opened, never_);
  }

  // Every message in new/ and cur/, by its name with flags.
  [[nodiscard]] std::map<std::string, std::string> mail(const std::string& maildir = "work") const {
    std::map<std::string, std::string> found;
    for (const char* folder : {"new", "cur"}) {
      for (const auto& entry : stdfs::directory_iterator(folder_.path() + "/Mail/" + maildir + "/" + folder)) {
        found.emplace(std::string(folder) + "/" + entry.path().filename().string(), config::content_of(entry.path()));
      }
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> staged() { return current_->maildir->staging().names(); }

  state::MessageRow row(state::RowId id) {
    for (const state::MessageRow& each : store_->messages(kAccount)) {
      if (each.id == id) return each;
    }
    ADD_FAILURE() << "no row " << id;
    return {};
  }
  bool has_row(state::RowId id) {
    const auto rows = store_->messages(kAccount);
    return std::ranges::any_of(rows, [&](const state::MessageRow& each) { return each.id == id; });
  }
  bool unverified(state::RowId id) {
    const auto rows = store_->published(kAccount);
    return std::ranges::any_of(rows, [&](const state::PublishedRow& each) { return each.id == id && each.unverified; });
  }

  config::TempFolder folder_;
  std::string path_ = folder_.path() + "/Mail/work";
  std::unique_ptr<state::StateStore> store_;
  ManualClock clock_;
  const StopSignal never_{std::stop_token()};
  state::AccountRow account_;
  std::optional<OpenMailstore> current_;
};

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() { testing::internal::CaptureStderr(); }
  ~RecoveryTest() override { testing::internal::GetCapturedStderr(); }

  void expect_published(state::RowId id) {
    EXPECT_EQ(site_.row(id).state, state::RowState::published);
    EXPECT_TRUE(site_.row(id).removable);
    EXPECT_FALSE(site_.unverified(id));
  }

  Site site_;
};

TEST_F(RecoveryTest, NothingLeftIsNothingToDo) {
  const Recovered found = site_.recover();
  EXPECT_EQ(found.published + found.unverified + found.dropped, 0U);
  EXPECT_EQ(site_.current_->row.generation, 0U);
}

// s & !f
TEST_F(RecoveryTest, AWholeStagedMessageIsPublishedWithoutBeingFetchedAgain) {
  const state::RowId id = site_.record("x", "message");
  site_.stage("x", "message");
  const Recovered found = site_.recover();
  EXPECT_EQ(found.published, 1U);
  EXPECT_THAT(site_.mail(), ElementsAre(Pair("new/x", "message")));
  EXPECT_THAT(site_.staged(), IsEmpty());
  expect_published(id);
  EXPECT_EQ(site_.store_->account(kAccount)->delivered_total, 1U);
  EXPECT_EQ(site_.store_->account(kAccount)->octets_total, 7U);
}

TEST_F(RecoveryTest, APublishedBatchCountsAsAGeneration) {
  site_.record("x", "message");
  site_.stage("x", "message");
  site_.recover();
  EXPECT_EQ(site_.current_->row.generation, 1U);
  EXPECT_EQ(site_.store_->mailstores(kAccount).at(0).generation, 1U);
  EXPECT_EQ(site_.current_->maildir->staging().generation(), 1U);
}

TEST_F(RecoveryTest, AGenerationThatIsAheadAlreadyIsNotCountedTwice) {
  site_.record("x", "message");
  site_.put("new/x", "message");
  site_.current_->maildir->staging().set_generation(1);  // the crash was between S5 and S6
  site_.recover();
  EXPECT_EQ(site_.store_->mailstores(kAccount).at(0).generation, 1U);
  EXPECT_EQ(site_.current_->maildir->staging().generation(), 1U);
}

TEST_F(RecoveryTest, ASuspectMessageStaysOnTheServer) {
  const state::RowId id = site_.record("x", "message", true);
  site_.stage("x", "message");
  site_.recover();
  EXPECT_EQ(site_.row(id).state, state::RowState::published);
  EXPECT_FALSE(site_.row(id).removable);
}

TEST_F(RecoveryTest, ADamagedStagedMessageIsFetchedAgain) {
  for (const std::string& damaged :
       {std::string(), std::string("messag"), std::string(7, '\0'), std::string("message2"), std::string("mess\0ge", 7)}) {
    const state::RowId id = site_.record("x", "message");
    site_.stage("x", damaged);
    const Recovered found = site_.recover();
    EXPECT_EQ(found.dropped, 1U);
    EXPECT_EQ(found.published, 0U);
    EXPECT_FALSE(site_.has_row(id));
    EXPECT_THAT(site_.staged(), IsEmpty());
    EXPECT_THAT(site_.mail(), IsEmpty());
  }
  EXPECT_EQ(site_.store_->account(kAccount)->delivered_total, 0U);
}

// !s & f
TEST_F(RecoveryTest, AMessageThatLeftStagingIsFoundWhereverAReaderPutIt) {
  for (const std::string place :
       {"new/x", "cur/x", "cur/x:2,", "cur/x:2,FRS", "cur/x,S=7:2,S", "cur/x,U=3:2,S", "cur/x;2,S", "cur/x!2,S", "new/x,S=7"}) {
    const state::RowId id = site_.record("x", "message");
    site_.put(place, "message");
    const Recovered found = site_.recover();
    EXPECT_EQ(found.published, 1U) << place;
    EXPECT_EQ(found.unverified, 0U) << place;
    expect_published(id);
    EXPECT_THAT(site_.mail(), ElementsAre(Pair(place, "message")));
    stdfs::remove(site_.path_ + "/" + place);
  }
}

TEST_F(RecoveryTest, AMessageThatAReaderChangedIsStillPublished) {
  const state::RowId id = site_.record("x", "message");
  site_.put("cur/x:2,S", "Status: RO\nmessage");
  EXPECT_EQ(site_.recover().published, 1U);
  expect_published(id);
  EXPECT_THAT(site_.mail(), ElementsAre(Pair("cur/x:2,S", "Status: RO\nmessage")));
}

// !s & !f
TEST_F(RecoveryTest, AMessageThatTheUserMovedAwayIsNeverDeletedOnTheServer) {
  const state::RowId id = site_.record("x", "message");
  site_.put("cur/xy:2,S", "another name that begins alike");
  const Recovered found = site_.recover();
  EXPECT_EQ(found.unverified, 1U);
  EXPECT_EQ(found.published, 0U);
  EXPECT_EQ(site_.row(id).state, state::RowState::published);
  EXPECT_FALSE(site_.row(id).removable);
  EXPECT_TRUE(site_.unverified(id));
  EXPECT_EQ(site_.mail().size(), 1U);
}

// s & f
TEST_F(RecoveryTest, AMessageInBothPlacesIsOneMessage) {
  const state::RowId linked = site_.record("linked", "message");
  site_.stage("linked", "message");
  stdfs::create_hard_link(site_.staging_path() + "/linked", site_.path_ + "/new/linked");
  const state::RowId copied = site_.record("copied", "another");
  site_.stage("copied", "another");
  site_.put("cur/copied:2,S", "another");
  EXPECT_EQ(site_.recover().published, 2U);
  expect_published(linked);
  expect_published(copied);
  EXPECT_THAT(site_.staged(), IsEmpty());
  EXPECT_THAT(site_.mail(), ElementsAre(Pair("cur/copied:2,S", "another"), Pair("new/linked", "message")));
}

TEST_F(RecoveryTest, AStrangersFileUnderOurNameIsLeftAloneAndOursIsStoredUnderAnother) {
  site_.record("x", "message");
  site_.stage("x", "message");
  site_.put("cur/x:2,S", "of a stranger");
  site_.recover();
  EXPECT_EQ(site_.mail().at("cur/x:2,S"), "of a stranger");
  EXPECT_THAT(site_.staged(), IsEmpty());
  const auto mail = site_.mail();
  ASSERT_EQ(mail.size(), 2U);
  const auto rows = site_.store_->published(kAccount);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_NE(rows[0].name, "x");
  EXPECT_EQ(mail.at("new/" + rows[0].name), "message");
  expect_published(rows[0].id);
}

// orphans
TEST_F(RecoveryTest, AStagedFileWithoutARowIsRemoved) {
  site_.stage("orphan", "never recorded");
  const Recovered found = site_.recover();
  EXPECT_EQ(found.dropped, 1U);
  EXPECT_THAT(site_.staged(), IsEmpty());
  EXPECT_THAT(site_.mail(), IsEmpty());
}

TEST_F(RecoveryTest, AStagedFileOfAPublishedRowIsRemovedOncePublishedAndElsePublishedAgain) {
  site_.record_published(site_.record("there", "message"));
  site_.put("cur/there:2,S", "message");
  site_.stage("there", "message");
  const state::RowId undone = site_.record("undone", "another");
  site_.record_published(undone);
  site_.stage("undone", "another");  // a power cut undid the rename
  EXPECT_EQ(site_.recover().dropped, 1U);
  EXPECT_THAT(site_.staged(), IsEmpty());
  EXPECT_THAT(site_.mail(), ElementsAre(Pair("cur/there:2,S", "message"), Pair("new/undone", "another")));
  expect_published(undone);
}

TEST_F(RecoveryTest, AStagedFileOfAPublishedRowThatIsDamagedIsNotPublishedAndTheServerKeepsItsOwn) {
  const state::RowId id = site_.record("x", "message");
  site_.record_published(id);
  site_.stage("x", std::string(7, '\0'));
  EXPECT_EQ(site_.recover().dropped, 1U);
  EXPECT_THAT(site_.mail(), IsEmpty());
  EXPECT_THAT(site_.staged(), IsEmpty());
  EXPECT_TRUE(site_.unverified(id));
  EXPECT_FALSE(site_.row(id).removable);
}

// A folder whose sync had failed: what was moved out of it comes back with a power cut, after the user has deleted it.
TEST_F(RecoveryTest, AStagedFileOfAMessageThatTheUserMovedAwayIsNotPublishedAgain) {
  const state::RowId id = site_.record("x", "message");
  EXPECT_EQ(site_.recover().unverified, 1U);
  site_.stage("x", "message");
  EXPECT_EQ(site_.recover().dropped, 1U);
  EXPECT_THAT(site_.mail(), IsEmpty());
  EXPECT_THAT(site_.staged(), IsEmpty());
  EXPECT_TRUE(site_.unverified(id));
}

TEST_F(RecoveryTest, OfAPublishedRowWhoseFileIsGoneNothingIsMade) {
  const state::RowId id = site_.record("x", "message");
  site_.record_published(id);
  EXPECT_EQ(site_.recover().published, 0U);
  EXPECT_THAT(site_.mail(), IsEmpty());
  expect_published(id);
}

TEST_F(RecoveryTest, AnotherAccountsStagingIsNotTouched) {
  const std::string other = site_.path_ + "/tmp/.popsync/0000.fedcba9876543210";
  stdfs::create_directories(other);
  site_.folder_.write("Mail/work/tmp/.popsync/0000.fedcba9876543210/theirs", "theirs");
  site_.stage("orphan", "x");
  site_.recover();
  EXPECT_EQ(config::content_of(other + "/theirs"), "theirs");
}

TEST_F(RecoveryTest, RowsStagedForAnotherMailstoreAreFinishedThere) {
  OpenMailstore other = site_.open(site_.folder_.path() + "/Mail/other");
  const state::RowId id = site_.record("x", "message", false, other.row.id);
  const auto message = other.maildir->staging().begin("x");
  delivery::SyncPool pool(0);
  message->write("message");
  message->finish();
  message->start_sync(pool);
  message->wait_synced();
  message->keep();
  EXPECT_EQ(site_.recover().published, 1U);
  EXPECT_THAT(site_.mail("other"), ElementsAre(Pair("new/x", "message")));
  EXPECT_THAT(site_.mail("work"), IsEmpty());
  expect_published(id);
  EXPECT_EQ(site_.store_->mailstores(kAccount).at(1).generation, 1U);
  EXPECT_EQ(site_.store_->mailstores(kAccount).at(0).generation, 0U);
}

TEST_F(RecoveryTest, WithoutAMailstoreForNowRowsAreFinishedWhereTheyWereStaged) {
  const state::RowId id = site_.record("x", "message");
  site_.stage("x", "message");
  EXPECT_EQ(recover(*site_.store_, real_fs(), site_.clock_, site_.account_, nullptr, site_.never_).published, 1U);
  EXPECT_THAT(site_.mail(), ElementsAre(Pair("new/x", "message")));
  expect_published(id);
}

TEST_F(RecoveryTest, AnotherMailstoreThatIsGoneStopsTheAccount) {
  const OpenMailstore other = site_.open(site_.folder_.path() + "/Mail/other");
  const state::RowId id = site_.record("x", "message", false, other.row.id);
  stdfs::remove_all(site_.folder_.path() + "/Mail/other");
  EXPECT_THROW(site_.recover(), Error);
  EXPECT_EQ(site_.row(id).state, state::RowState::staged);
}

TEST_F(RecoveryTest, TheSuspensionOfAMailstoreThatWasLeftEndsThoughItIsGone) {
  const OpenMailstore other = site_.open(site_.folder_.path() + "/Mail/other");
  site_.store_->suspend({other.row.id}, "its disk failed");
  stdfs::remove_all(site_.folder_.path() + "/Mail/other");
  site_.recover();
  for (const state::MailstoreRow& row : site_.store_->mailstores(kAccount)) EXPECT_EQ(row.suspended, "") << row.path;
}

TEST_F(RecoveryTest, WhatIsStagedInADoubtfulMailstoreThatWasLeftIsCopied) {
  OpenMailstore other = site_.open(site_.folder_.path() + "/Mail/other");
  const state::RowId id = site_.record("x", "message", false, other.row.id);
  const std::string staged = stdfs::read_symlink("/proc/self/fd/" + std::to_string(other.maildir->staging().dir())).string() + "/x";
  std::ofstream(staged) << "message";
  stdfs::create_hard_link(staged, site_.folder_.path() + "/old");
  site_.store_->suspend({other.row.id}, "its disk failed");
  EXPECT_EQ(site_.recover().published, 1U);
  EXPECT_EQ(stdfs::hard_link_count(site_.folder_.path() + "/old"), 1U) << "the file in doubt is not the one that was published";
  expect_published(id);
  EXPECT_EQ(site_.store_->mailstores(kAccount).at(1).suspended, "");
}

TEST_F(RecoveryTest, AMailstoreThatWasLeftIsNotSettledWhileAnotherStateFillsIt) {
  OpenMailstore other = site_.open(site_.folder_.path() + "/Mail/other");
  const state::RowId id = site_.record("x", "message", false, other.row.id);
  ASSERT_TRUE(other.maildir->staging().try_lock());
  EXPECT_THROW(site_.recover(), Error);
  EXPECT_EQ(site_.row(id).state, state::RowState::staged);
}

TEST_F(RecoveryTest, AStagedFileThatVanishesBeforeItIsPublishedIsFetchedAgain) {
  const state::RowId vanished = site_.record("vanished", "message");
  const state::RowId other = site_.record("other", "another");
  site_.stage("vanished", "message");
  site_.stage("other", "another");
  test::FailingFs fs;
  fs.before_rename = [&](const std::string& to) {
    if (to == "vanished") stdfs::remove(site_.staging_path() + "/vanished");
  };
  const Recovered found = site_.recover_anew(fs);
  EXPECT_EQ(found.published, 1U);
  EXPECT_EQ(found.dropped, 1U);
  EXPECT_FALSE(site_.has_row(vanished));
  expect_published(other);
  EXPECT_THAT(site_.mail(), ElementsAre(Pair("new/other", "another")));
}

TEST_F(RecoveryTest, ManyMessagesAreSettledInOnePass) {
  for (int i = 0; i < 600; ++i) {
    const std::string name = "m" + std::to_string(i);
    site_.record(name, name);
    if (i % 3 == 0) site_.stage(name, name);
    if (i % 3 == 1) site_.put("cur/" + name + ":2,S", name);
  }
  const Recovered found = site_.recover();
  EXPECT_EQ(found.published, 400U);
  EXPECT_EQ(found.unverified, 200U);
  EXPECT_EQ(site_.mail().size(), 400U);
  EXPECT_EQ(site_.store_->account(kAccount)->delivered_total, 400U);
}

// ---- killed at every step

struct Crashed {
  state::RowId whole = 0;
  state::RowId suspect = 0;
  state::RowId damaged = 0;
  state::RowId in_new = 0;
  state::RowId in_cur = 0;
  state::RowId missing = 0;
  state::RowId twofold = 0;
  state::RowId undone = 0;
};

Crashed crash(Site& site) {
  Crashed rows;
  rows.whole = site.record("whole", "whole");
  site.stage("whole", "whole");
  rows.suspect = site.record("suspect", "suspect", true);
  site.stage("suspect", "suspect");
  rows.damaged = site.record("damaged", "damaged");
  site.stage("damaged", std::string(7, '\0'));
  rows.in_new = site.record("in_new", "in_new");
  site.put("new/in_new", "in_new");
  rows.in_cur = site.record("in_cur", "in_cur");
  site.put("cur/in_cur:2,S", "in_cur");
  rows.missing = site.record("missing", "missing");
  rows.twofold = site.record("twofold", "twofold");
  site.stage("twofold", "twofold");
  site.put("cur/twofold:2,", "twofold");
  rows.undone = site.record("undone", "undone");
  site.record_published(rows.undone);
  site.stage("undone", "undone");
  site.stage("orphan", "orphan");
  site.put("new/of another program", "theirs");
  return rows;
}

void expect_settled(Site& site, const Crashed& rows) {
  for (const state::RowId id : {rows.whole, rows.in_new, rows.in_cur, rows.twofold, rows.undone}) {
    EXPECT_EQ(site.row(id).state, state::RowState::published);
    EXPECT_TRUE(site.row(id).removable);
    EXPECT_FALSE(site.unverified(id));
  }
  EXPECT_EQ(site.row(rows.suspect).state, state::RowState::published);
  EXPECT_FALSE(site.row(rows.suspect).removable);
  EXPECT_TRUE(site.unverified(rows.missing));
  EXPECT_FALSE(site.row(rows.missing).removable);
  EXPECT_FALSE(site.has_row(rows.damaged));
  EXPECT_THAT(site.staged(), IsEmpty());
  EXPECT_THAT(site.mail(), UnorderedElementsAre(Pair("new/whole", "whole"), Pair("new/suspect", "suspect"), Pair("new/in_new", "in_new"),
                                                Pair("cur/in_cur:2,S", "in_cur"), Pair("cur/twofold:2,", "twofold"), Pair("new/undone", "undone"),
                                                Pair("new/of another program", "theirs")));
  EXPECT_EQ(site.store_->account(kAccount)->delivered_total, 5U);
}

TEST(RecoveryInterrupted, KilledAtAnyStepAndRunAgainItGivesTheSame) {
  testing::internal::CaptureStderr();
  std::size_t steps = 0;
  for (bool finished = false; !finished && !testing::Test::HasFailure(); ++steps) {
    SCOPED_TRACE("killed at step " + std::to_string(steps));
    Site site;
    const Crashed rows = crash(site);
    DyingFs fs(steps);
    try {
      site.recover_anew(fs);
    } catch (const Error&) {
      EXPECT_TRUE(fs.died());
    }
    finished = !fs.died();
    site.recover_anew(real_fs());
    expect_settled(site, rows);
    const Recovered nothing = site.recover_anew(real_fs());
    EXPECT_EQ(nothing.published + nothing.unverified + nothing.dropped, 0U);
  }
  testing::internal::GetCapturedStderr();
  EXPECT_GT(steps, 10U);  // it was killed at all
}

// After a failed sync, and with a stranger's file under one of our names. The name that a message has in the end depends on the step; that there is
// one of each, whole, does not.
TEST(RecoveryInterrupted, KilledAtAnyStepOfCopyingEachMessageIsThereOnce) {
  testing::internal::CaptureStderr();
  std::size_t steps = 0;
  for (bool finished = false; !finished && !testing::Test::HasFailure(); ++steps) {
    SCOPED_TRACE("killed at step " + std::to_string(steps));
    Site site;
    const Crashed rows = crash(site);
    const state::RowId disturbed = site.record("disturbed", "ours");
    site.stage("disturbed", "ours");
    site.put("cur/disturbed:2,S", "of a stranger");
    site.store_->suspend({site.current_->row.id}, "the disk failed");
    DyingFs fs(steps);
    try {
      site.recover_anew(fs);
    } catch (const Error&) {
      EXPECT_TRUE(fs.died());
    }
    finished = !fs.died();
    site.recover_anew(real_fs());
    EXPECT_EQ(site.store_->mailstores(kAccount).at(0).suspended, "");
    for (const state::RowId id : {rows.whole, rows.in_new, rows.in_cur, rows.twofold, rows.undone, disturbed}) {
      EXPECT_TRUE(site.row(id).removable) << id;
    }
    EXPECT_FALSE(site.row(rows.missing).removable);
    EXPECT_FALSE(site.has_row(rows.damaged));
    EXPECT_THAT(site.staged(), IsEmpty());
    std::vector<std::string> contents;
    for (const auto& [place, content] : site.mail()) contents.push_back(content);
    EXPECT_THAT(contents, UnorderedElementsAre("whole", "suspect", "in_new", "in_cur", "twofold", "undone", "ours", "of a stranger", "theirs"));
  }
  testing::internal::GetCapturedStderr();
  EXPECT_GT(steps, 20U);
}

}  // namespace
}  // namespace popsync::sync
