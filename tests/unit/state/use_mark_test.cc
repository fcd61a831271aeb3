// SPDX-License-Identifier: MIT
#include "state/use_mark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "state/state_store.h"
#include "state/transaction.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

namespace stdfs = std::filesystem;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kAccount = "0123456789abcdef";

ServerMemory something() {
  return {.capabilities = KnownCapabilities{.where = "implicit a:995", .before_login = "USER", .after_login = "UIDL", .asked = from_unix_seconds(7)},
          .failures_ahead = 2,
          .listing = KnownListing{.policy = "keep", .count = 1, .octets = 2, .last = {"u"}, .completed = from_unix_seconds(8), .looks = 3}};
}

class UseMarkTest : public testing::Test {
 protected:
  UseMarkTest() {
    const auto store = open();
    AccountRow account;
    account.id = kAccount;
    account.name = "work";
    account.host = "pop.example.org";
    account.user = "me";
    auto transaction = store->begin();
    transaction.insert_account(account);
    transaction.remember_server(kAccount, something());
    transaction.commit();
  }
  [[nodiscard]] std::string directory() const { return folder_.path() + "/state"; }
  [[nodiscard]] std::unique_ptr<StateStore> open() const { return StateStore::open(directory()); }
  [[nodiscard]] std::vector<std::string> marks() const {
    std::vector<std::string> names;
    for (const auto& entry : stdfs::directory_iterator(directory())) {
      if (entry.path().filename().string().starts_with("sessions.")) names.push_back(entry.path().filename());
    }
    return names;
  }
  // What a process remembers that starts now and ends well.
  [[nodiscard]] ServerMemory remembered() const { return open()->server_memory(kAccount); }
  // A process that does this and then ends without a last word.
  void in_a_process_that_dies(const std::function<void()>& what) const {
    const pid_t child = ::fork();
    if (child == 0) {
      what();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  config::TempFolder folder_;
};

TEST_F(UseMarkTest, WhatIsRememberedStaysWhileAllEndWell) {
  EXPECT_EQ(remembered(), something());
  EXPECT_EQ(remembered(), something());
  EXPECT_THAT(marks(), IsEmpty());
}

TEST_F(UseMarkTest, IsMadeOnceForAProcessAndOnlyByOneThatUsesWhatIsRemembered) {
  const auto store = open();
  (void)store->accounts();
  EXPECT_THAT(marks(), IsEmpty());
  (void)store->server_memory(kAccount);
  EXPECT_THAT(marks(), SizeIs(1));
  (void)store->server_memory(kAccount);
  EXPECT_THAT(marks(), SizeIs(1));
}

TEST_F(UseMarkTest, LeftBehindMakesTheNextForgetWhatWouldLeadToTheSameWords) {
  in_a_process_that_dies([&] { (void)open().release()->server_memory(kAccount); });
  EXPECT_THAT(marks(), SizeIs(1));
  EXPECT_EQ(remembered(), (ServerMemory{.capabilities = {}, .failures_ahead = 2, .listing = {}}));
  EXPECT_THAT(marks(), IsEmpty());
}

TEST_F(UseMarkTest, LeftBehindConcernsOnlyWhatWasRememberedBefore) {
  in_a_process_that_dies([&] { (void)open().release()->server_memory(kAccount); });
  (void)remembered();
  {
    const auto store = open();
    auto transaction = store->begin();
    transaction.remember_server(kAccount, something());
    transaction.commit();
  }
  EXPECT_EQ(remembered(), something());
}

TEST_F(UseMarkTest, ProcessThatOnlyLooksLeavesNone) {
  in_a_process_that_dies([&] { (void)open().release()->accounts(); });
  EXPECT_EQ(remembered(), something());
}

TEST_F(UseMarkTest, OfARunningProcessIsNotTakenForOneLeftBehind) {
  const auto running = open();
  EXPECT_EQ(running->server_memory(kAccount), something());
  EXPECT_EQ(remembered(), something());
  EXPECT_THAT(marks(), SizeIs(1));
  in_a_process_that_dies([&] { (void)open().release()->server_memory(kAccount); });
  EXPECT_FALSE(remembered().capabilities);  // beside the one that runs, one has died
  EXPECT_THAT(marks(), SizeIs(1));
}

// A crash between the two: both are done again.
TEST_F(UseMarkTest, IsRemovedOnlyWhenWhatItStandsForWasForgotten) {
  std::ofstream(directory() + "/sessions.1.00000000");
  EXPECT_THAT(marks_left_behind(directory()), SizeIs(1));
  EXPECT_THAT(marks(), SizeIs(1));
  EXPECT_FALSE(remembered().capabilities);
  EXPECT_THAT(marks(), IsEmpty());
  remove_marks(directory(), {"sessions.1.00000000"});
}

}  // namespace
}  // namespace popsync::state
