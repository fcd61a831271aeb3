// SPDX-License-Identifier: MIT
#include "sync/mailstore_opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "state/transaction.h"
#include "sync/acceptance.h"
#include "unit/config/temp_folder.h"

namespace popsync::sync {
namespace {

using testing::HasSubstr;
namespace stdfs = std::filesystem;

class MailstoreOpeningTest : public testing::Test {
 protected:
  MailstoreOpeningTest() {
    set_log_level(LogLevel::error);
    account_.id = "0123456789abcdef";
    account_.name = "work";
    account_.host = "pop.example.org";
    account_.user = "me";
    auto transaction = store_->begin();
    transaction.insert_account(account_);
    transaction.commit();
  }
  ~MailstoreOpeningTest() override { set_log_level(LogLevel::info); }

  OpenMailstore open(const std::string& path) { return open_mailstore(*store_, real_fs(), account_, {.path = path}); }
  OpenMailstore accept(const std::string& path) { return accept_mailstore(*store_, real_fs(), account_, {.path = path}); }
  ErrorCode refusal(const std::string& path) {
    try {
      (void)open(path);
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "opened";
    return ErrorCode::bug;
  }
  void set_stored_generation(state::RowId mailstore, std::uint64_t generation) {
    auto transaction = store_->begin();
    transaction.set_generation(mailstore, generation);
    transaction.commit();
  }

  void stage(state::RowId mailstore) {
    auto transaction = store_->begin();
    transaction.insert_staged({.account = account_.id, .mailstore = mailstore, .uid = {"uid"}, .list_size = 1, .prints = {}, .name = "name"});
    transaction.commit();
  }
  void lose_database() {
    store_.reset();
    for (const char* file : {"state.db", "state.db-wal", "state.db-shm"}) stdfs::remove(folder_.path() + "/state/" + file);
    store_ = state::StateStore::open(folder_.path() + "/state");
  }

  config::TempFolder folder_;
  std::string path_ = folder_.path() + "/Mail/work";
  std::unique_ptr<state::StateStore> store_ = state::StateStore::open(folder_.path() + "/state");
  state::AccountRow account_;
};

TEST_F(MailstoreOpeningTest, APathThatIsNewToTheAccountIsMadeAndRemembered) {
  OpenMailstore made = open(path_);
  EXPECT_EQ(made.row.path, path_);
  EXPECT_EQ(made.row.store_id, made.maildir->id());
  EXPECT_EQ(made.maildir->staging().generation(), 0U);
  const auto rows = store_->mailstores(account_.id);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].store_id, made.maildir->id());
  EXPECT_EQ(open(path_).row.id, made.row.id);
}

TEST_F(MailstoreOpeningTest, LookingForAPathThatIsNewMakesNothing) {
  EXPECT_FALSE(find_mailstore(*store_, real_fs(), account_, {.path = path_}).has_value());
  EXPECT_FALSE(stdfs::exists(path_));
  EXPECT_TRUE(store_->mailstores(account_.id).empty());
  const std::string id = open(path_).maildir->id();
  EXPECT_EQ(find_mailstore(*store_, real_fs(), account_, {.path = path_})->maildir->id(), id);
}

TEST_F(MailstoreOpeningTest, LookingForAPathWhereNoMaildirCanBeSaysSoAtOnce) {
  folder_.write("Mail/work/notes.txt", "precious");
  EXPECT_THROW((void)find_mailstore(*store_, real_fs(), account_, {.path = path_}), Error);
}

TEST_F(MailstoreOpeningTest, AnotherPathIsAnotherMailstoreAndTheFirstStays) {
  const OpenMailstore first = open(path_);
  const OpenMailstore second = open(folder_.path() + "/Mail/new");
  EXPECT_NE(first.row.id, second.row.id);
  EXPECT_NE(first.maildir->id(), second.maildir->id());
  EXPECT_EQ(store_->mailstores(account_.id).size(), 2U);
}

TEST_F(MailstoreOpeningTest, AMailstoreThatIsGoneIsNotMadeAnew) {
  (void)open(path_);
  stdfs::rename(path_, path_ + ".unmounted");
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_unavailable);
  stdfs::create_directories(path_);
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_unavailable);
  EXPECT_TRUE(stdfs::is_empty(path_));
  stdfs::remove(path_);
  stdfs::rename(path_ + ".unmounted", path_);
  EXPECT_NO_THROW((void)open(path_));
}

TEST_F(MailstoreOpeningTest, AFolderThatCannotBeMadeLeavesNoRow) {
  folder_.write("Mail/work/notes.txt", "precious");
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_unavailable);
  EXPECT_TRUE(store_->mailstores(account_.id).empty());
}

TEST_F(MailstoreOpeningTest, TheGenerationMayBeOneAheadOfTheRowWhileABatchIsStaged) {
  OpenMailstore mailstore = open(path_);
  mailstore.maildir->staging().set_generation(1);  // a crash between S5 and S6
  stage(mailstore.row.id);
  const OpenMailstore again = open(path_);
  EXPECT_EQ(again.row.generation, 0U);
  EXPECT_FALSE(again.ahead);
}

TEST_F(MailstoreOpeningTest, AGenerationOneAheadWithNothingStagedIsARestoredState) {
  OpenMailstore mailstore = open(path_);
  mailstore.maildir->staging().set_generation(1);
  EXPECT_TRUE(open(path_).ahead);
}

TEST_F(MailstoreOpeningTest, AGenerationBelowTheRowIsARestoredMailstore) {
  const OpenMailstore mailstore = open(path_);
  set_stored_generation(mailstore.row.id, 5);
  try {
    (void)open(path_);
    ADD_FAILURE() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
    EXPECT_THAT(error.hint(), HasSubstr("popsync accept work"));
  }
}

TEST_F(MailstoreOpeningTest, AGenerationThatIsMissingIsARestoredMailstoreToo) {
  OpenMailstore mailstore = open(path_);
  EXPECT_TRUE(mailstore.maildir->staging().remove("gen.0"));
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_unavailable);
}

TEST_F(MailstoreOpeningTest, AGenerationTwoAheadIsARestoredStateEvenWhileABatchIsStaged) {
  OpenMailstore mailstore = open(path_);
  stage(mailstore.row.id);
  mailstore.maildir->staging().set_generation(2);
  EXPECT_TRUE(open(path_).ahead);
}

TEST_F(MailstoreOpeningTest, AnOlderStateIsNotedOnceAndGoesAheadOfItsCopies) {
  {
    OpenMailstore mailstore = open(path_);
    mailstore.maildir->staging().set_generation(5);
  }
  {
    OpenMailstore found = open(path_);
    EXPECT_FALSE(found.maildir->staging().unlearned_since());  // only looked at so far
    take_into_use(*store_, real_fs(), account_, found);
    EXPECT_EQ(found.row.generation, 7U);
    EXPECT_TRUE(found.maildir->staging().unlearned_since());
  }
  const OpenMailstore again = open(path_);
  EXPECT_FALSE(again.ahead);
  EXPECT_EQ(again.row.generation, 7U);
}

TEST_F(MailstoreOpeningTest, WhatIsInUseIsInNobodyElsesUse) {
  OpenMailstore first = open(path_);
  take_into_use(*store_, real_fs(), account_, first);
  OpenMailstore second = open(path_);
  try {
    take_into_use(*store_, real_fs(), account_, second);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::lock_held);
  }
  EXPECT_TRUE(delivery::in_use(real_fs(), path_, store_->install_key(), account_.id));
  first.maildir.reset();
  EXPECT_FALSE(delivery::in_use(real_fs(), path_, store_->install_key(), account_.id));
  EXPECT_NO_THROW(take_into_use(*store_, real_fs(), account_, second));
}

TEST_F(MailstoreOpeningTest, AnAcceptedOlderStateIsMarkedToo) {
  OpenMailstore mailstore = open(path_);
  mailstore.maildir->staging().set_generation(1);
  OpenMailstore accepted = accept(path_);
  EXPECT_TRUE(accepted.maildir->staging().unlearned_since());
  EXPECT_FALSE(open(path_).ahead);
}

TEST_F(MailstoreOpeningTest, AMaildirOfALostDatabaseIsMadeAgainAndMarked) {
  {
    OpenMailstore mailstore = open(path_);
    mailstore.maildir->staging().set_generation(5);
  }
  lose_database();
  auto transaction = store_->begin();
  transaction.insert_account(account_);  // under the id that the Maildir remembers
  transaction.commit();
  EXPECT_TRUE(is_remembered(*store_, real_fs(), account_, {.path = path_}));
  OpenMailstore again = open(path_);
  EXPECT_EQ(again.row.generation, 7U);
  EXPECT_TRUE(again.maildir->staging().unlearned_since());
  EXPECT_THAT(again.maildir->staging().names(), testing::IsEmpty());
}

TEST_F(MailstoreOpeningTest, WhatTheOperatorAcceptsIsTakenAsItIs) {
  OpenMailstore mailstore = open(path_);
  mailstore.maildir->staging().set_generation(3);
  set_stored_generation(mailstore.row.id, 9);
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_unavailable);
  EXPECT_EQ(accept(path_).row.generation, 3U);
  EXPECT_EQ(open(path_).row.generation, 3U);
}

TEST_F(MailstoreOpeningTest, AnAcceptedEmptyFolderBecomesTheMailstore) {
  const OpenMailstore mailstore = open(path_);
  set_stored_generation(mailstore.row.id, 9);
  stdfs::remove_all(path_);
  const OpenMailstore accepted = accept(path_);
  EXPECT_EQ(accepted.row.id, mailstore.row.id);  // the rows stay with it
  EXPECT_NE(accepted.row.store_id, mailstore.row.store_id);
  EXPECT_EQ(open(path_).maildir->id(), accepted.maildir->id());
  EXPECT_EQ(store_->mailstores(account_.id).size(), 1U);
}

TEST_F(MailstoreOpeningTest, AcceptingNeverTakesWhatAnotherStateFills) {
  const auto other = state::StateStore::open(folder_.path() + "/other");
  {
    auto transaction = other->begin();
    transaction.insert_account(account_);
    transaction.commit();
  }
  (void)open_mailstore(*other, real_fs(), account_, {.path = path_});
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_foreign);
  EXPECT_THROW((void)accept(path_), Error);
}

TEST_F(MailstoreOpeningTest, TwoAccountsMayShareAMaildirAndEachHasItsStaging) {
  OpenMailstore work = open(path_);
  state::AccountRow home = account_;
  home.id = "fedcba9876543210";
  home.name = "home";
  {
    auto transaction = store_->begin();
    transaction.insert_account(home);
    transaction.commit();
  }
  OpenMailstore shared = open_mailstore(*store_, real_fs(), home, {.path = path_});
  EXPECT_EQ(shared.maildir->id(), work.maildir->id());
  work.maildir->staging().set_generation(1);
  EXPECT_EQ(shared.maildir->staging().generation(), 0U);
}

TEST_F(MailstoreOpeningTest, AMaildirFilledUnderALostDatabaseAndAnotherIdIsNotFilledAgain) {
  (void)open(path_);
  lose_database();
  account_.id = "fedcba9876543210";
  auto transaction = store_->begin();
  transaction.insert_account(account_);
  transaction.commit();
  EXPECT_EQ(refusal(path_), ErrorCode::mailstore_foreign);
  const std::string accepted = accept(path_).maildir->id();
  EXPECT_EQ(open(path_).maildir->id(), accepted);
  // The lost account's line has given way: nothing is refused once this one is forgotten.
  delivery::forget_owner(real_fs(), path_, store_->install_key(), account_.id);
  EXPECT_TRUE(delivery::inspect(real_fs(), path_, store_->install_key()).accounts.empty());
}

TEST_F(MailstoreOpeningTest, WhatAnAcceptedFolderLacksIsNeverDeletedOnTheServer) {
  const state::RowId mailstore = open(path_).row.id;
  auto transaction = store_->begin();
  for (const std::string name : {"here", "gone"}) {
    const state::RowId row = transaction.insert_staged(
        {.account = account_.id, .mailstore = mailstore, .uid = pop3::UniqueId{name}, .list_size = 1, .prints = {}, .name = name});
    transaction.record_published(row, true, {});
  }
  transaction.commit();
  folder_.write("Mail/work/cur/here:2,S", "x");
  (void)accept(path_);
  const auto rows = store_->messages(account_.id);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(rows[0].removable);
  EXPECT_FALSE(rows[1].removable);
}

}  // namespace
}  // namespace popsync::sync
