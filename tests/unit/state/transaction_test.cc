// SPDX-License-Identifier: MIT
#include "state/transaction.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "state/state_store.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kWork = "0123456789abcdef";
constexpr const char* kHome = "fedcba9876543210";
const WallTime kAt = from_unix_seconds(1'700'000'000);
const ClockReading kRead = {.wall = kAt, .boot_id = "a boot", .since_boot = std::chrono::hours(5), .synchronised = true};

AccountRow account_row(const std::string& id, const std::string& name) {
  AccountRow row;
  row.id = id;
  row.name = name;
  row.host = "pop.example.org";
  row.user = "user of " + name;
  return row;
}

StoredPrints prints(char octet) {
  return {.wire_octets = 120,
          .stored_size = 100,
          .sha256 = std::string(31, octet) + '\0',
          .fingerprint = std::string(32, static_cast<char>(octet + 1)),
          .header_hash = std::string(32, static_cast<char>(octet + 2)),
          .has_message_id = true};
}

class TransactionTest : public testing::Test {
 protected:
  TransactionTest() : store_(StateStore::open(folder_.path() + "/state")) {
    auto transaction = store_->begin();
    transaction.insert_account(account_row(kWork, "work"));
    transaction.insert_account(account_row(kHome, "home"));
    mailstore_ = transaction.insert_mailstore(kWork, "/mail/work", "store-id");
    transaction.commit();
  }

  // Everything is read through a store that was opened anew.
  template <typename Work>
  void change(Work&& work) {
    {
      auto transaction = store_->begin();
      std::forward<Work>(work)(transaction);
      transaction.commit();
    }
    store_.reset();
    store_ = StateStore::open(folder_.path() + "/state");
  }

  [[nodiscard]] NewStaged staged(const std::string& uid, const std::string& name, std::optional<std::uint64_t> list_size = 120) const {
    return {.account = kWork,
            .mailstore = mailstore_,
            .uid = {uid},
            .list_size = list_size,
            .prints = prints('s'),
            .name = name,
            .suspect = false,
            .at = kRead};
  }

  MessageRow only_message() {
    const auto rows = store_->messages(kWork);
    EXPECT_EQ(rows.size(), 1U);
    return rows.empty() ? MessageRow{} : rows.front();
  }

  config::TempFolder folder_;
  std::unique_ptr<StateStore> store_;
  RowId mailstore_ = 0;
};

// Of what was never stored nothing could confirm it; what is in doubt of its own is not vouched for by others; no sample of another maildrop counts.
TEST_F(TransactionTest, AllThatHasPrintsIsInDoubtTogether) {
  std::vector<RowId> ids;
  change([&](Transaction& transaction) {
    for (const char* name : {"staged", "published", "own", "vouched", "sample"}) ids.push_back(transaction.insert_staged(staged(name, name)));
    for (std::size_t i = 1; i < ids.size(); ++i) transaction.record_published(ids[i], true, kRead);
    transaction.set_doubt(ids[2], Doubt::own);
    transaction.set_doubt(ids[3], Doubt::vouched);
    transaction.set_doubt(ids[4], Doubt::sample);
    transaction.insert_found(staged("adopted", "adopted"), true);
    transaction.insert_found(staged("learnt", "learnt"), false);
    ids.push_back(transaction.insert_known({.account = kWork, .uid = {"seeded"}, .list_size = 1, .reason = "", .tries = 0, .at = kAt}));
  });
  change([](Transaction& transaction) { transaction.doubt_all(kWork); });
  std::map<std::string, Doubt> doubts;
  for (const MessageRow& row : store_->messages(kWork)) doubts[row.uid.octets] = row.doubt;
  EXPECT_EQ(doubts, (std::map<std::string, Doubt>{{"staged", Doubt::outage},
                                                  {"published", Doubt::outage},
                                                  {"own", Doubt::own},
                                                  {"vouched", Doubt::outage},
                                                  {"sample", Doubt::outage},
                                                  {"adopted", Doubt::outage},
                                                  {"learnt", Doubt::none},
                                                  {"seeded", Doubt::none}}));
}

TEST_F(TransactionTest, RowKnowsWhichOfItsNameItIs) {
  std::vector<RowId> ids;
  const auto add = [&](RowState state, const char* uid, std::uint64_t size) {
    change([&](Transaction& transaction) {
      ids.push_back(
          transaction.insert_known({.account = kWork, .state = state, .uid = {uid}, .list_size = size, .reason = "", .tries = 0, .at = kAt}));
    });
  };
  add(RowState::held, "a", 1);
  add(RowState::held, "", 7);
  add(RowState::seen, "a", 2);
  add(RowState::seen, "", 7);  // is called by nothing
  add(RowState::skipped, "", 7);
  add(RowState::held, "", 8);
  std::vector<std::size_t> occurrences;
  for (const std::size_t i : {0U, 1U, 2U, 4U, 5U}) occurrences.push_back(store_->occurrence(ids[i]));
  EXPECT_EQ(occurrences, (std::vector<std::size_t>{1, 1, 2, 2, 1}));
  EXPECT_EQ(store_->occurrence(ids.back() + 1), 0U);
  EXPECT_EQ(store_->held_count(kWork), 3U);
  EXPECT_EQ(store_->held(kWork, 2).size(), 2U);
}

TEST_F(TransactionTest, AnAccountBeginsWithNothingButItsIdentity) {
  const AccountRow row = store_->account(kWork).value();
  EXPECT_EQ(row.name, "work");
  EXPECT_EQ(row.host, "pop.example.org");
  EXPECT_EQ(row.user, "user of work");
  EXPECT_FALSE(row.last_attempt || row.last_success || row.last_error || row.next_sync);
  EXPECT_FALSE(row.needs_operator || row.secret_worked);
  EXPECT_EQ(row.consecutive_failures + row.delivered_total + row.octets_total + row.complete_listings + row.last_listing_count, 0U);
  EXPECT_FALSE(store_->account("none").has_value());
}

TEST_F(TransactionTest, AccountsComeInTheOrderOfTheirNames) {
  const auto rows = store_->accounts();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "home");
  EXPECT_EQ(rows[1].name, "work");
}

TEST_F(TransactionTest, UpdateKeepsEverythingButIdTotalsAndPlan) {
  AccountRow row = account_row(kWork, "renamed");
  row.host = "pop2.example.org";
  row.user = "other";
  row.port = 10995;
  row.last_attempt = kAt;
  row.last_success = kAt - std::chrono::hours(1);
  row.consecutive_failures = 3;
  row.last_error = LastError{.at = kAt, .code = "timeout", .message = "silent", .hint = "wait"};
  row.next_sync = kAt;       // not stored by this
  row.delivered_total = 99;  // neither
  row.octets_total = 99;     // nor this
  row.needs_operator = true;
  row.secret_worked = true;
  row.complete_listings = 7;
  row.last_listing_count = 5'000'000'000;
  row.equal_settlements = 2;
  row.rekeyings = 3;
  row.top_breaks = 2;
  row.top_differences = 1;
  row.top_off_since = from_unix_seconds(1'700'000'001);
  row.surprises = 2;
  row.expire_days = 0;
  row.login_delay = std::chrono::minutes(10);
  row.last_login = kAt;
  row.refusals = 2;
  row.tried_with = "this";
  row.marker = "uidl";
  row.policy = "14d";
  change([&](Transaction& transaction) { transaction.update_account(row); });
  const AccountRow found = store_->account(kWork).value();
  EXPECT_EQ(found.name, "renamed");
  EXPECT_EQ(found.host, "pop2.example.org");
  EXPECT_EQ(found.user, "other");
  EXPECT_EQ(found.last_attempt, row.last_attempt);
  EXPECT_EQ(found.last_success, row.last_success);
  EXPECT_EQ(found.consecutive_failures, 3U);
  ASSERT_TRUE(found.last_error.has_value());
  EXPECT_EQ(found.last_error->at, kAt);
  EXPECT_EQ(found.last_error->code, "timeout");
  EXPECT_EQ(found.last_error->message, "silent");
  EXPECT_EQ(found.last_error->hint, "wait");
  EXPECT_TRUE(found.needs_operator && found.secret_worked);
  EXPECT_EQ(found.port, 10995);
  EXPECT_EQ(found.complete_listings, 7U);
  EXPECT_EQ(found.last_listing_count, 5'000'000'000U);
  EXPECT_EQ(found.equal_settlements, 2U);
  EXPECT_EQ(found.rekeyings, 3U);
  EXPECT_EQ(found.top_breaks, 2U);
  EXPECT_EQ(found.top_differences, 1U);
  EXPECT_EQ(found.top_off_since, from_unix_seconds(1'700'000'001));
  EXPECT_EQ(found.surprises, 2U);
  EXPECT_EQ(found.expire_days, 0U);
  EXPECT_EQ(found.login_delay, std::chrono::minutes(10));
  EXPECT_EQ(found.last_login, kAt);
  EXPECT_EQ(found.refusals, 2U);
  EXPECT_EQ(found.tried_with, "this");
  EXPECT_EQ(found.marker, "uidl");
  EXPECT_EQ(found.policy, "14d");
  EXPECT_FALSE(found.next_sync.has_value());
  EXPECT_EQ(found.delivered_total + found.octets_total, 0U);
  EXPECT_EQ(store_->account(kHome)->name, "home");

  row.last_error.reset();
  change([&](Transaction& transaction) { transaction.update_account(row); });
  EXPECT_FALSE(store_->account(kWork)->last_error.has_value());
}

TEST_F(TransactionTest, ThePlanIsKeptByName) {
  change([](Transaction& transaction) { transaction.set_plan("work", kAt, 90s, true); });
  EXPECT_EQ(store_->account(kWork)->next_sync, kAt);
  EXPECT_EQ(store_->account(kWork)->next_sync_delay, 90s);
  EXPECT_TRUE(store_->account(kWork)->needs_operator);
  EXPECT_FALSE(store_->account(kHome)->next_sync.has_value());
  change([](Transaction& transaction) { transaction.set_plan("work", std::nullopt, {}, false); });
  EXPECT_FALSE(store_->account(kWork)->next_sync.has_value());
  EXPECT_FALSE(store_->account(kWork)->needs_operator);
}

TEST_F(TransactionTest, ASuccessIsNotedUnlessAnotherProcessKnowsBetter) {
  const auto note = [&](WallTime at) {
    change([&](Transaction& transaction) { transaction.note_success("work", at); });
    return store_->account(kWork)->last_success;
  };
  EXPECT_EQ(note(kAt), kAt);
  EXPECT_EQ(store_->account(kWork)->last_attempt, kAt);
  EXPECT_FALSE(store_->account(kHome)->last_success.has_value());
  EXPECT_EQ(note(kAt - 1s), kAt) << "an earlier one";
  EXPECT_EQ(note(kAt + 1s), kAt + 1s);
  AccountRow row = *store_->account(kWork);
  row.consecutive_failures = 1;
  change([&](Transaction& transaction) { transaction.update_account(row); });
  EXPECT_EQ(note(kAt + 2s), kAt + 1s) << "it has failed since";
}

TEST_F(TransactionTest, TotalsAddUp) {
  change([](Transaction& transaction) { transaction.add_delivered(kWork, 2, 5'000'000'000); });
  change([](Transaction& transaction) { transaction.add_delivered(kWork, 1, 1); });
  EXPECT_EQ(store_->account(kWork)->delivered_total, 3U);
  EXPECT_EQ(store_->account(kWork)->octets_total, 5'000'000'001U);
  EXPECT_EQ(store_->account(kHome)->delivered_total, 0U);
}

TEST_F(TransactionTest, MailstoresBelongToAnAccount) {
  RowId second = 0;
  change([&](Transaction& transaction) {
    second = transaction.insert_mailstore(kWork, "/mail/new", "other-id");
    transaction.set_generation(mailstore_, 41);
    transaction.set_mailstore_id(mailstore_, "accepted");
  });
  EXPECT_NE(second, mailstore_);
  const auto rows = store_->mailstores(kWork);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, mailstore_);
  EXPECT_EQ(rows[0].path, "/mail/work");
  EXPECT_EQ(rows[0].store_id, "accepted");
  EXPECT_EQ(rows[0].generation, 41U);
  EXPECT_EQ(rows[1].path, "/mail/new");
  EXPECT_EQ(rows[1].generation, 0U);
  EXPECT_THAT(store_->mailstores(kHome), IsEmpty());
}

TEST_F(TransactionTest, AMovedMailstoreKeepsItsRows) {
  change([&](Transaction& transaction) {
    transaction.insert_staged(staged("a", "1.M2.host"));
    transaction.move_mailstore(mailstore_, "/mail/moved");
  });
  EXPECT_EQ(store_->mailstores(kWork).at(0).path, "/mail/moved");
  EXPECT_EQ(store_->files_at("/mail/moved").size(), 1U);
  EXPECT_EQ(store_->files_of(mailstore_).size(), 1U);
}

TEST_F(TransactionTest, TwoRowsOfOneMailstoreBecomeOne) {
  change([&](Transaction& transaction) {
    const RowId other = transaction.insert_mailstore(kWork, "/mail/new", "store-id");
    transaction.insert_staged(staged("a", "1.M2.host"));
    transaction.merge_mailstores(other, mailstore_);
    mailstore_ = other;
  });
  ASSERT_EQ(store_->mailstores(kWork).size(), 1U);
  EXPECT_EQ(store_->mailstores(kWork).at(0).path, "/mail/new");
  EXPECT_EQ(store_->staged(kWork).at(0).mailstore, mailstore_);
}

TEST_F(TransactionTest, OfALostMailstoreStagedRowsGoAndTheOthersAreNeverRemoved) {
  RowId published = 0;
  change([&](Transaction& transaction) {
    published = transaction.insert_staged(staged("a", "1.M2.host"));
    transaction.record_published(published, true, {.wall = kAt});
    transaction.insert_staged(staged("b", "2.M2.host"));
    NewStaged elsewhere = staged("c", "3.M2.host");
    elsewhere.mailstore = transaction.insert_mailstore(kWork, "/mail/new", "other-id");
    transaction.record_published(transaction.insert_staged(elsewhere), true, {.wall = kAt});
    transaction.lose_mailstore(mailstore_);
  });
  EXPECT_EQ(store_->mailstores(kWork).size(), 1U);
  EXPECT_THAT(store_->staged(kWork), IsEmpty());
  const auto rows = store_->messages(kWork);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, published);
  EXPECT_FALSE(rows[0].removable);
  EXPECT_TRUE(rows[1].removable);
  EXPECT_EQ(store_->published(kWork).size(), 2U);
}

TEST_F(TransactionTest, AStagedRowHoldsWhatRecoveryNeeds) {
  RowId id = 0;
  change([&](Transaction& transaction) {
    NewStaged message = staged("\0\xff uid"s, "1.M2.host");
    message.suspect = true;
    id = transaction.insert_staged(message);
  });
  const auto rows = store_->staged(kWork);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].id, id);
  EXPECT_EQ(rows[0].mailstore, mailstore_);
  EXPECT_EQ(rows[0].name, "1.M2.host");
  EXPECT_EQ(rows[0].stored_size, 100U);
  EXPECT_EQ(rows[0].sha256, prints('s').sha256);
  EXPECT_TRUE(rows[0].suspect);
  const MessageRow message = only_message();
  EXPECT_EQ(message.state, RowState::staged);
  EXPECT_EQ(message.uid.octets, "\0\xff uid"s);
  EXPECT_EQ(message.list_size, 120U);
  EXPECT_TRUE(message.suspect);
  EXPECT_FALSE(message.removable);
  EXPECT_EQ(message.stored_at, kAt);
  EXPECT_THAT(store_->published(kWork), IsEmpty());
  EXPECT_FALSE(store_->find_published(mailstore_, "1.M2.host").has_value());
  EXPECT_EQ(store_->seen_count(kWork), 1U);
}

TEST_F(TransactionTest, AStagedMessageGoesOnUnderAnotherName) {
  RowId id = 0;
  change([&](Transaction& transaction) { id = transaction.insert_staged(staged("a", "x")); });
  change([&](Transaction& transaction) { transaction.rename_message(id, "y"); });
  ASSERT_EQ(store_->staged(kWork).size(), 1U);
  EXPECT_EQ(store_->staged(kWork)[0].name, "y");
}

TEST_F(TransactionTest, ASuspensionLastsOverProcessesUntilItIsEnded) {
  store_->suspend({mailstore_}, "the disk failed");
  change([](Transaction&) {});
  EXPECT_EQ(store_->mailstores(kWork).at(0).suspended, "the disk failed");
  EXPECT_EQ(store_->mailstores().at(0).suspended, "the disk failed");
  change([&](Transaction& transaction) { transaction.resume(mailstore_); });
  EXPECT_EQ(store_->mailstores(kWork).at(0).suspended, "");
}

TEST_F(TransactionTest, AnotherProcessEndsASuspension) {
  store_->suspend({mailstore_}, "the disk failed");
  const auto other = StateStore::open(folder_.path() + "/state");
  auto transaction = other->begin();
  transaction.resume(mailstore_);
  transaction.commit();
  EXPECT_EQ(store_->mailstores(kWork).at(0).suspended, "");
}

TEST_F(TransactionTest, ASuspensionThatTheDatabaseDoesNotTakeHoldsInThisProcess) {
  testing::internal::CaptureStderr();
  SQLite::Database raw(folder_.path() + "/state/state.db", SQLite::OPEN_READWRITE);
  raw.exec("CREATE TRIGGER refuse BEFORE UPDATE ON mailstore BEGIN SELECT RAISE(ABORT, 'no'); END");
  store_->suspend({mailstore_}, "the disk failed");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("not in the state"));
  EXPECT_EQ(raw.execAndGet("SELECT suspended FROM mailstore").getString(), "");
  EXPECT_EQ(store_->mailstores(kWork).at(0).suspended, "the disk failed");
  raw.exec("DROP TRIGGER refuse");
  auto transaction = store_->begin();
  transaction.resume(mailstore_);
  transaction.commit();
  EXPECT_EQ(store_->mailstores(kWork).at(0).suspended, "");
}

TEST_F(TransactionTest, SyncFailuresAreCountedUntilTheMailstoreIsResumed) {
  change([&](Transaction& transaction) { transaction.set_sync_failures(mailstore_, 1); });
  EXPECT_EQ(store_->mailstores(kWork).at(0).sync_failures, 1U);
  change([&](Transaction& transaction) { transaction.resume(mailstore_); });
  EXPECT_EQ(store_->mailstores(kWork).at(0).sync_failures, 0U);
}

TEST_F(TransactionTest, PrintsComeBackOctetForOctet) {
  RowId id = 0;
  change([&](Transaction& transaction) { id = transaction.insert_staged(staged("a", "x", {})); });
  const StoredPrints found = store_->prints(id).value();
  EXPECT_EQ(found.wire_octets, 120U);
  EXPECT_EQ(found.stored_size, 100U);
  EXPECT_EQ(found.sha256, prints('s').sha256);
  EXPECT_EQ(found.fingerprint, prints('s').fingerprint);
  EXPECT_EQ(found.header_hash, prints('s').header_hash);
  EXPECT_TRUE(found.has_message_id);
  EXPECT_FALSE(store_->prints(id + 1).has_value());
  EXPECT_FALSE(only_message().list_size.has_value());
}

TEST_F(TransactionTest, ARekeyedRowKeepsEverythingButUniqueIdAndSize) {
  RowId id = 0;
  change([&](Transaction& transaction) {
    id = transaction.insert_staged(staged("old", "x"));
    transaction.record_published(id, true, kRead);
    transaction.set_absent(id, kRead, 7);
    transaction.rekey_message(id, {"\0new"s}, 130);
    transaction.insert_known({.account = kWork, .state = RowState::seen, .uid = {"seeded"}, .list_size = 1, .reason = "", .tries = 0, .at = kRead});
  });
  const MessageRow found = store_->messages(kWork).at(0);
  EXPECT_EQ(found.id, id);
  EXPECT_EQ(found.uid.octets, "\0new"s);
  EXPECT_EQ(found.list_size, 130U);
  EXPECT_EQ(found.state, RowState::published);
  EXPECT_TRUE(found.removable);
  EXPECT_EQ(found.stored_at, kAt);
  EXPECT_EQ(found.absent_since, kAt);
  EXPECT_EQ(found.absent_since_listing, 7U);
  const auto headers = store_->header_prints(kWork);
  ASSERT_EQ(headers.size(), 1U);  // the seeded row has none
  EXPECT_EQ(headers[0].row, id);
  EXPECT_EQ(headers[0].header_hash, prints('s').header_hash);
  EXPECT_THAT(store_->header_prints(kHome), IsEmpty());
}

TEST_F(TransactionTest, PublishedIsRemovableOnlyIfItWasStoredWhole) {
  RowId whole = 0;
  RowId suspect = 0;
  change([&](Transaction& transaction) {
    whole = transaction.insert_staged(staged("a", "x"));
    suspect = transaction.insert_staged(staged("b", "y"));
  });
  const WallTime later = kAt + std::chrono::minutes(1);
  change([&](Transaction& transaction) {
    transaction.record_published(whole, true, {.wall = later});
    transaction.record_published(suspect, false, {.wall = later});
  });
  EXPECT_THAT(store_->staged(kWork), IsEmpty());
  const auto rows = store_->messages(kWork);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].state, RowState::published);
  EXPECT_TRUE(rows[0].removable);
  EXPECT_EQ(rows[0].stored_at, later);
  EXPECT_FALSE(rows[1].removable);
  EXPECT_EQ(store_->find_published(mailstore_, "y")->id, suspect);
  EXPECT_EQ(store_->find_published(mailstore_, "y")->sha256, prints('s').sha256);
  EXPECT_FALSE(store_->find_published(mailstore_ + 1, "y").has_value());
  const auto published = store_->published(kWork);
  ASSERT_EQ(published.size(), 2U);
  EXPECT_EQ(published[0].name, "x");
  EXPECT_EQ(published[0].mailstore, mailstore_);
  EXPECT_EQ(published[0].uid.octets, "a");
  EXPECT_FALSE(published[0].unverified);
}

TEST_F(TransactionTest, UnverifiedIsPublishedAndNeverRemovable) {
  change([&](Transaction& transaction) { transaction.record_unverified(transaction.insert_staged(staged("a", "x")), kRead); });
  EXPECT_EQ(only_message().state, RowState::published);
  EXPECT_FALSE(only_message().removable);
  EXPECT_TRUE(store_->published(kWork).at(0).unverified);
}

TEST_F(TransactionTest, AHeldRowHasAReasonAndTriesAndIsNotSeen) {
  change([](Transaction& transaction) {
    transaction.insert_known(
        {.account = kWork, .state = RowState::held, .uid = {"a"}, .list_size = 1U << 31U, .reason = "too big", .tries = 1, .at = kRead});
  });
  auto held = store_->held(kWork);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].uid.octets, "a");
  EXPECT_EQ(held[0].reason, "too big");
  EXPECT_EQ(held[0].tries, 1U);
  EXPECT_EQ(held[0].list_size, 1U << 31U);
  EXPECT_EQ(store_->seen_count(kWork), 0U);
  const RowId id = only_message().id;
  change([&](Transaction& transaction) { transaction.set_tries(id, "refused", 2); });
  held = store_->held(kWork);
  EXPECT_EQ(held[0].reason, "refused");
  EXPECT_EQ(held[0].tries, 2U);
  EXPECT_EQ(only_message().tries, 2U);
}

TEST_F(TransactionTest, SeenAndSkippedRowsAreKnownWithoutAFile) {
  change([](Transaction& transaction) {
    transaction.insert_known({.account = kWork, .state = RowState::seen, .uid = {"a"}, .list_size = {}, .reason = {}, .at = kRead});
    transaction.insert_known({.account = kWork, .state = RowState::skipped, .uid = {"b"}, .list_size = 0, .reason = {}, .at = kRead});
  });
  const auto rows = store_->messages(kWork);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].state, RowState::seen);
  EXPECT_EQ(rows[1].state, RowState::skipped);
  EXPECT_FALSE(rows[0].removable || rows[1].removable);
  EXPECT_FALSE(rows[0].list_size.has_value());
  EXPECT_EQ(rows[1].list_size, 0U);
  EXPECT_EQ(store_->seen_count(kWork), 2U);
  EXPECT_EQ(store_->prints(rows[0].id)->fingerprint, "");
  EXPECT_THAT(store_->published(kWork), IsEmpty());
}

TEST_F(TransactionTest, APublishedMessageWithoutUniqueIdIsFoundByItsContentInItsAccount) {
  RowId id = 0;
  change([&](Transaction& transaction) {
    id = transaction.insert_staged(staged("", "x"));
    transaction.record_published(transaction.insert_staged(staged("with one", "y")), true, kRead);
  });
  EXPECT_FALSE(store_->find_by_sha256(kWork, prints('s').sha256).has_value());  // staged: nobody knows yet where it is
  for (const bool removable : {true, false}) {
    change([&](Transaction& transaction) { transaction.record_published(id, removable, kRead); });
    const auto found = store_->find_by_sha256(kWork, prints('s').sha256);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->removable, removable);
  }
  EXPECT_FALSE(store_->find_by_sha256(kWork, prints('t').sha256).has_value());
  EXPECT_FALSE(store_->find_by_sha256(kHome, prints('s').sha256).has_value());
}

TEST_F(TransactionTest, WhatAListingTellsIsKept) {
  RowId id = 0;
  change([&](Transaction& transaction) { id = transaction.insert_staged(staged("a", "x", {})); });
  change([&](Transaction& transaction) {
    transaction.set_list_size(id, 77);
    transaction.set_removable(id, true);
    transaction.set_absent(id, kRead, 9);
    transaction.count_deletion(id);
    transaction.count_deletion(id);
  });
  const MessageRow row = only_message();
  EXPECT_EQ(row.list_size, 77U);
  EXPECT_TRUE(row.removable);
  EXPECT_EQ(row.absent_since, kAt);
  EXPECT_EQ(row.absent_since_listing, 9U);
  EXPECT_EQ(row.deletions, 2U);
  change([&](Transaction& transaction) {
    transaction.set_removable(id, false);
    transaction.set_absent(id, std::nullopt, 0);
  });
  EXPECT_FALSE(only_message().removable);
  EXPECT_FALSE(only_message().absent_since.has_value());
  EXPECT_FALSE(only_message().absent_since_listing.has_value());
}

TEST_F(TransactionTest, AnErasedMessageIsGone) {
  RowId id = 0;
  change([&](Transaction& transaction) { id = transaction.insert_staged(staged("a", "x")); });
  change([&](Transaction& transaction) { transaction.erase_message(id); });
  EXPECT_THAT(store_->messages(kWork), IsEmpty());
  EXPECT_THAT(store_->staged(kWork), IsEmpty());
}

TEST_F(TransactionTest, ForgettingAnAccountTakesItsRowsAndNoOthers) {
  change([&](Transaction& transaction) {
    transaction.insert_staged(staged("a", "x"));
    transaction.insert_known({.account = kWork, .state = RowState::held, .uid = {"b"}, .list_size = {}, .reason = "r"});
    transaction.insert_mailstore(kHome, "/mail/home", "id");
    transaction.insert_known({.account = kHome, .uid = {"a"}, .list_size = {}, .reason = {}});
  });
  change([](Transaction& transaction) { transaction.forget_account(kWork); });
  EXPECT_FALSE(store_->account(kWork).has_value());
  EXPECT_THAT(store_->messages(kWork), IsEmpty());
  EXPECT_THAT(store_->mailstores(kWork), IsEmpty());
  EXPECT_TRUE(store_->account(kHome).has_value());
  EXPECT_EQ(store_->messages(kHome).size(), 1U);
  EXPECT_EQ(store_->mailstores(kHome).size(), 1U);
}

ServerMemory server_memory() {
  return {.capabilities =
              KnownCapabilities{.where = "implicit pop.example.org:995", .before_login = "CAPA\nUSER\n", .after_login = "CAPA\n", .asked = kAt},
          .failures_ahead = 1,
          .listing = KnownListing{.policy = "keep", .count = 3, .octets = 600, .last = {"c\0d"s}, .completed = kAt, .looks = 7}};
}

TEST_F(TransactionTest, WhatIsRememberedOfAServerComesBackForItsAccountAlone) {
  EXPECT_EQ(store_->server_memory(kWork), ServerMemory{});
  change([](Transaction& transaction) { transaction.remember_server(kWork, server_memory()); });
  EXPECT_EQ(store_->server_memory(kWork), server_memory());
  EXPECT_EQ(store_->server_memory(kHome), ServerMemory{});
  change([](Transaction& transaction) { transaction.remember_server(kWork, {}); });
  EXPECT_EQ(store_->server_memory(kWork), ServerMemory{});
}

// Its message is a new one from then on, and only a complete listing finds it.
TEST_F(TransactionTest, ARowThatGoesMakesItsAccountForgetTheListing) {
  RowId row = 0;
  change([&](Transaction& transaction) {
    row = transaction.insert_staged(staged("a", "name"));
    for (const char* account : {kWork, kHome}) transaction.remember_server(account, server_memory());
  });
  change([&](Transaction& transaction) { transaction.record_published(row, true, kRead); });
  EXPECT_TRUE(store_->server_memory(kWork).listing);
  change([&](Transaction& transaction) { transaction.erase_message(row); });
  EXPECT_FALSE(store_->server_memory(kWork).listing);
  EXPECT_EQ(store_->server_memory(kWork).capabilities, server_memory().capabilities);
  EXPECT_TRUE(store_->server_memory(kHome).listing);
}

TEST_F(TransactionTest, AForgottenAccountsServerIsForgotten) {
  change([](Transaction& transaction) { transaction.remember_server(kWork, server_memory()); });
  change([](Transaction& transaction) { transaction.forget_account(kWork); });
  EXPECT_EQ(store_->server_memory(kWork), ServerMemory{});
}

TEST_F(TransactionTest, AUniqueIdIsKnownOctetForOctetInItsAccount) {
  change([](Transaction& transaction) { transaction.insert_known({.account = kWork, .uid = {"a"}, .list_size = {}, .reason = {}}); });
  EXPECT_TRUE(store_->knows(kWork, {"a"}));
  EXPECT_FALSE(store_->knows(kWork, {"a "}));
  EXPECT_FALSE(store_->knows(kHome, {"a"}));
}

constexpr StateStore::DueWork kDue{.tries_max = 3, .message_size_max = 1000};

TEST_F(TransactionTest, AStagedRowIsDue) {
  EXPECT_FALSE(store_->has(kWork, kDue));
  change([&](Transaction& transaction) { transaction.insert_staged(staged("a", "name")); });
  EXPECT_TRUE(store_->has(kWork, kDue));
  EXPECT_FALSE(store_->has(kHome, kDue));
}

TEST_F(TransactionTest, AHeldMessageIsDueWhileItMayBeTriedAgain) {
  change([](Transaction& transaction) {
    transaction.insert_known(
        {.account = kWork, .state = RowState::held, .uid = {"a"}, .list_size = 1000, .reason = "refused", .tries = 2, .at = kRead});
  });
  EXPECT_TRUE(store_->has(kWork, kDue));
  auto work = kDue;
  work.tries_max = 2;
  EXPECT_FALSE(store_->has(kWork, work));
  work = kDue;
  work.message_size_max = 999;
  EXPECT_FALSE(store_->has(kWork, work));
  const RowId row = store_->messages(kWork)[0].id;
  change([&](Transaction& transaction) { transaction.set_absent(row, kRead, 1); });
  EXPECT_FALSE(store_->has(kWork, kDue));
}

TEST_F(TransactionTest, TheOldestMessageThatMayBeDeletedIsToldOfEachClock) {
  const auto reading = [](std::chrono::minutes later, bool synchronised) {
    return ClockReading{.wall = kAt + later, .boot_id = "a boot", .since_boot = std::chrono::hours(5) + later, .synchronised = synchronised};
  };
  const auto publish = [&](const ClockReading& at, bool removable) {
    RowId row = 0;
    change([&](Transaction& transaction) {
      NewStaged message = staged("a", "name");
      message.at = at;
      row = transaction.insert_staged(message);
      transaction.record_published(row, removable, at);
    });
    return row;
  };
  const auto told = [&](std::uint32_t deletions_max = 3) {
    std::vector<std::pair<ClockId, WallTime>> oldest;
    for (const TakenTime& time : store_->oldest_removable(kWork, {.deletions_max = deletions_max, .tries_max = 3, .message_size_max = 1U << 30U}))
      oldest.emplace_back(time.clock, time.wall);
    return oldest;
  };
  EXPECT_TRUE(told().empty());
  publish(reading(0min, true), false);
  EXPECT_TRUE(told().empty());
  publish(reading(3min, true), true);
  const RowId oldest = publish(reading(1min, true), true);
  publish(reading(2min, true), true);
  publish(reading(9min, false), true);
  publish(reading(8min, false), true);
  ASSERT_EQ(store_->clocks().size(), 3U);  // that of rows without a clock, and these two
  EXPECT_THAT(told(), testing::ElementsAre(testing::Pair(1, kAt + 1min), testing::Pair(2, kAt + 8min)));
  EXPECT_TRUE(told(0).empty());
  change([&](Transaction& transaction) { transaction.count_deletion(oldest); });
  EXPECT_THAT(told(1), testing::ElementsAre(testing::Pair(1, kAt + 2min), testing::Pair(2, kAt + 8min)));
  change([&](Transaction& transaction) { transaction.set_absent(oldest, kRead, 1); });
  EXPECT_THAT(told(), testing::ElementsAre(testing::Pair(1, kAt + 2min), testing::Pair(2, kAt + 8min)));
  EXPECT_TRUE(store_->oldest_removable(kHome, {.deletions_max = 3, .tries_max = 3, .message_size_max = 1U << 30U}).empty());
}

TEST_F(TransactionTest, AMovedTransactionIsCommittedByItsNewOwner) {
  {
    Transaction first = store_->begin();
    Transaction second(std::move(first));
    second.add_delivered(kWork, 1, 1);
    second.commit();
  }
  EXPECT_EQ(store_->account(kWork)->delivered_total, 1U);
}

}  // namespace
}  // namespace popsync::state
