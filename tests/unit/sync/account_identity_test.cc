// SPDX-License-Identifier: MIT
#include "sync/account_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "state/account_lock.h"
#include "state/transaction.h"
#include "unit/config/temp_folder.h"

namespace popsync::sync {
namespace {

using testing::HasSubstr;

state::AccountRow stored(const std::string& id, const std::string& name, const std::string& host = "pop.example.org",
                         const std::string& user = "me") {
  state::AccountRow row;
  row.id = id;
  row.name = name;
  row.host = host;
  row.user = user;
  return row;
}

TEST(DecideAccount, ByNameThenByHostAndUserOfAVanishedOne) {
  struct Row {
    const char* claim;
    ConfiguredAccount account;
    std::vector<std::string> configured;
    AccountMatch match;
    std::string id;
    std::string old_name;
  };
  const std::vector<state::AccountRow> rows = {stored("1", "work"), stored("2", "home", "pop.example.net", "Me"), stored("3", "old", "pop.old.org")};
  const std::vector<Row> table = {
      {"the same", {"work", "pop.example.org", "me"}, {"work"}, AccountMatch::known, "1", ""},
      {"another host", {"work", "pop2.example.org", "me"}, {"work"}, AccountMatch::known, "1", ""},
      {"another user", {"work", "pop.example.org", "you"}, {"work"}, AccountMatch::conflict, "1", ""},
      {"users differ by case", {"work", "pop.example.org", "Me"}, {"work"}, AccountMatch::conflict, "1", ""},
      {"nothing known", {"new", "pop.example.com", "me"}, {"new"}, AccountMatch::fresh, "", ""},
      {"renamed", {"job", "pop.example.org", "me"}, {"job"}, AccountMatch::taken_over, "1", "work"},
      {"renamed, host in other case", {"job", "POP.Example.ORG", "me"}, {"job"}, AccountMatch::taken_over, "1", "work"},
      {"the other has not vanished", {"job", "pop.example.org", "me"}, {"job", "work"}, AccountMatch::fresh, "", ""},
      {"renamed and moved is not seen", {"job", "pop2.example.org", "me"}, {"job"}, AccountMatch::fresh, "", ""},
      {"another user on that host", {"job", "pop.example.org", "you"}, {"job"}, AccountMatch::fresh, "", ""},
      {"the name counts more than host and user", {"home", "pop.example.org", "Me"}, {"home"}, AccountMatch::known, "2", ""},
  };
  for (const Row& row : table) {
    const AccountDecision decision = decide_account(row.account, row.configured, rows);
    EXPECT_EQ(decision.match, row.match) << row.claim;
    EXPECT_EQ(decision.row.id, row.id) << row.claim;
    EXPECT_EQ(decision.old_name, row.old_name) << row.claim;
    if (row.match == AccountMatch::conflict) continue;
    EXPECT_EQ(decision.row.name, row.account.name) << row.claim;
    EXPECT_EQ(decision.row.host, row.account.host) << row.claim;
    EXPECT_EQ(decision.row.user, row.account.user) << row.claim;
  }
}

TEST(DecideAccount, WhereSeveralHaveOneHostAndUserThePortMustBeEqual) {
  const auto at_port = [](const char* id, const char* name, std::uint16_t port) {
    state::AccountRow row = stored(id, name, "localhost");
    row.port = port;
    return row;
  };
  const auto taken = [](std::uint16_t port, bool port_counts, const std::vector<state::AccountRow>& rows) {
    return decide_account({.name = "new", .host = "localhost", .user = "me", .port = port, .port_counts = port_counts},
                          std::vector<std::string>{"new"}, rows)
        .row.id;
  };
  EXPECT_EQ(taken(2, false, {at_port("1", "east", 1)}), "1") << "alone it may move and be renamed at once";
  EXPECT_EQ(taken(2, true, {at_port("1", "east", 1)}), "") << "another configured one may be the one that was stored";
  EXPECT_EQ(taken(1, true, {at_port("1", "east", 1)}), "1");
  EXPECT_EQ(taken(2, false, {at_port("1", "east", 1), at_port("2", "west", 2)}), "2");
  EXPECT_EQ(taken(3, false, {at_port("1", "east", 1), at_port("2", "west", 2)}), "");
  EXPECT_EQ(taken(995, true, {at_port("1", "east", 110)}), "1");
  EXPECT_EQ(taken(1, true, {at_port("1", "east", 0)}), "") << "of which nobody knows the port";
}

TEST(DecideAccount, AChangedPortIsNoted) {
  state::AccountRow row = stored("1", "work");
  row.port = 995;
  const AccountDecision decision =
      decide_account({.name = "work", .host = "pop.example.org", .user = "me", .port = 10995}, std::vector<std::string>{"work"}, std::vector{row});
  EXPECT_EQ(decision.match, AccountMatch::known);
  EXPECT_EQ(decision.row.id, "1");
  EXPECT_EQ(decision.row.port, 10995);
}

class ResolveAccountTest : public testing::Test {
 protected:
  ResolveAccountTest() { set_log_level(LogLevel::error); }
  ~ResolveAccountTest() override { set_log_level(LogLevel::info); }

  state::AccountRow resolve(const ConfiguredAccount& account, std::vector<std::string> configured = {}) {
    if (configured.empty()) configured = {account.name};
    return resolve_account(*store_, account, configured);
  }

  void know_a_message(const std::string& id, state::RowState state = state::RowState::seen) {
    auto transaction = store_->begin();
    transaction.insert_known({.account = id, .state = state, .uid = {"a"}, .list_size = {}, .reason = {}});
    transaction.commit();
  }

  config::TempFolder folder_;
  std::unique_ptr<state::StateStore> store_ = state::StateStore::open(folder_.path() + "/state");
};

TEST_F(ResolveAccountTest, AFreshAccountIsRecordedUnderARandomId) {
  const state::AccountRow work = resolve({"work", "pop.example.org", "me"});
  const state::AccountRow home = resolve({"home", "pop.example.net", "me"});
  EXPECT_EQ(work.id.size(), 16U);
  EXPECT_EQ(work.id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(work.id, home.id);
  EXPECT_EQ(store_->account(work.id)->name, "work");
  EXPECT_EQ(store_->accounts().size(), 2U);
}

TEST_F(ResolveAccountTest, AKnownAccountKeepsItsIdAndWhatItHas) {
  const std::string id = resolve({"work", "pop.example.org", "me"}).id;
  {
    auto transaction = store_->begin();
    transaction.insert_known({.account = id, .uid = {"a"}, .list_size = {}, .reason = {}});
    transaction.add_delivered(id, 5, 50);
    transaction.commit();
  }
  const state::AccountRow again = resolve({"work", "pop.example.org", "me"});
  EXPECT_EQ(again.id, id);
  EXPECT_EQ(again.delivered_total, 5U);
  EXPECT_EQ(store_->messages(id).size(), 1U);
}

TEST_F(ResolveAccountTest, AnotherHostIsRemembered) {
  const std::string id = resolve({"work", "pop.example.org", "me"}).id;
  EXPECT_EQ(resolve({"work", "pop2.example.org", "me"}).id, id);
  EXPECT_EQ(store_->account(id)->host, "pop2.example.org");
  EXPECT_EQ(store_->accounts().size(), 1U);
}

TEST_F(ResolveAccountTest, ARenamedAccountTakesItsRowsAlongAndKeepsWhatIsToldAboutIt) {
  state::AccountRow row = resolve({"work", "pop.example.org", "me"});
  row.secret_worked = true;
  row.complete_listings = 7;
  row.marker = "uidl";
  {
    auto transaction = store_->begin();
    transaction.update_account(row);
    transaction.commit();
  }
  EXPECT_EQ(resolve({"job", "pop.example.org", "me"}).id, row.id);
  const state::AccountRow found = store_->account(row.id).value();
  EXPECT_EQ(found.name, "job");
  EXPECT_TRUE(found.secret_worked);
  EXPECT_EQ(found.complete_listings, 7U);
  EXPECT_EQ(found.marker, "uidl");
  EXPECT_EQ(store_->accounts().size(), 1U);
}

TEST_F(ResolveAccountTest, AnotherUserUnderAnOldNameTouchesNothing) {
  const std::string id = resolve({"work", "pop.example.org", "me"}).id;
  know_a_message(id);
  try {
    (void)resolve({"work", "pop.example.org", "you\x1b"});
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::account_identity);
    EXPECT_THAT(error.message(), HasSubstr("you\\x1b"));
    EXPECT_THAT(error.hint(), HasSubstr("`popsync accept work`"));
    EXPECT_THAT(error.hint(), HasSubstr("popsync rename work"));
    EXPECT_THAT(error.hint(), HasSubstr("popsync forget work"));
  }
  EXPECT_EQ(store_->account(id)->user, "me");
  EXPECT_EQ(store_->accounts().size(), 1U);
}

TEST_F(ResolveAccountTest, AnAccountThatKnowsNothingTakesAnotherUserByItself) {
  (void)resolve({"work", "pop.example.org", "mee"});
  EXPECT_EQ(resolve({"work", "pop.example.org", "me"}).user, "me");
  ASSERT_EQ(store_->accounts().size(), 1U);
  EXPECT_EQ(store_->accounts().at(0).user, "me");
}

TEST_F(ResolveAccountTest, WhatIsHeldOrSkippedIsKnown) {
  for (const state::RowState state : {state::RowState::held, state::RowState::skipped}) {
    const std::string name = "work" + std::to_string(static_cast<int>(state));
    know_a_message(resolve({name, "pop.example.org", "me"}).id, state);
    EXPECT_THROW((void)resolve({name, "pop.example.org", "you"}), Error);
  }
}

// A new name with a mistake in it, and then without.
TEST_F(ResolveAccountTest, AMistakenUserDoesNotKeepARenamedAccountFromItsRows) {
  const std::string id = resolve({"work", "pop.example.org", "me"}).id;
  know_a_message(id);
  (void)resolve({"job", "pop.example.org", "mee"});
  EXPECT_EQ(resolve({"job", "pop.example.org", "me"}).id, id);
  EXPECT_EQ(store_->accounts().size(), 1U);
}

TEST_F(ResolveAccountTest, AnAccountInUseKeepsItsUser) {
  const std::string id = resolve({"work", "pop.example.org", "mee"}).id;
  const auto lock = state::lock_account(store_->directory(), id, "popsync test", {}, StopSignal{std::stop_token()});
  try {
    (void)resolve({"work", "pop.example.org", "me"});
    ADD_FAILURE() << "resolved";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::lock_held);
  }
}

}  // namespace
}  // namespace popsync::sync
