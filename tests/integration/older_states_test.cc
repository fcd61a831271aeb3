// SPDX-License-Identifier: MIT
// A state that an older popsync left is taken up by this one: nothing is fetched twice, nothing is deleted early, every row stays what it was, and
// what was under way is finished. For each archive in tests/states, and for one that this popsync leaves now.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <ostream>
#include <set>

#include "state/rows.h"
#include "support/left_state.h"
#include "support/message_corpus.h"
#include "support/skip.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

using state::RowState;
using testing::Contains;

std::vector<std::string> archives() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(POPSYNC_STATES_DIR)) {
    if (entry.path().extension() == ".gz") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

// "0_1_0"
std::string version_of(const std::string& archive) {
  std::string name = std::filesystem::path(archive).filename().string();
  name.resize(name.find(".tar.gz"));
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

// By this popsync, for the tests of the next.
constexpr const char* kLeftNow = "now.tar.gz";
constexpr int kTracingIsForbidden = 77;

struct Policy {
  std::string name;
  std::string leave_on_server;
  bool deletes = false;
};

struct Case {
  std::string archive;
  Policy policy;
};
void PrintTo(const Case& tested, std::ostream* out) { *out << version_of(tested.archive) << ", " << tested.policy.name; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& archive : archives()) {
    for (const Policy& policy : {Policy{"Keeps", "true"}, Policy{"Removes", "false", true}, Policy{"RemovesByAge", "\"14d\""}}) {
      all.push_back({archive, policy});
    }
  }
  all.push_back({kLeftNow, {"Removes", "false", true}});
  return all;
}

bool is(const LeftState::Row& row, RowState state) { return row.state == static_cast<int>(state); }

// Published, or about to be.
bool is_stored(const LeftState::Row& row) { return is(row, RowState::published) || is(row, RowState::staged); }

// Found in the Maildir, and beyond doubt.
bool is_adopted(const LeftState::Row& row) { return is(row, RowState::seen) && row.removable; }

struct OlderState : testing::TestWithParam<Case> {
  void SetUp() override {
    std::string archive = GetParam().archive;
    if (archive == kLeftNow) {
      archive = folder / archive;
      const ProgramResult made = run_program({.arguments = {archive}, .program = POPSYNC_LEAVE_STATE});
      POPSYNC_REQUIRE(made.status != kTracingIsForbidden, "ptrace(2) is forbidden here");
      ASSERT_EQ(made.status, 0) << made.err;
    }
    state = std::make_unique<LeftState>(archive);
    state->leave_on_server(GetParam().policy.leave_on_server);
    before = state->rows();
    for (const std::string& account : state->accounts()) {
      const auto uids = state->server().uids(account);
      const auto messages = state->server().messages(account);
      for (std::size_t i = 0; i < uids.size(); ++i) octets[account][uids[i]] = octets_stored(messages[i]);
      mail_before[account] = state->mail_of(account);
    }
  }

  // Passes over all accounts until one finds nothing to do.
  void sync_until_rest() {
    constexpr int kPassesMax = 10;
    for (int pass = 0; pass < kPassesMax; ++pass) {
      const ProgramResult result = state->home().run({"sync", "--json"});
      ASSERT_EQ(result.status, 0) << result.out << result.err;
      bool rested = true;
      for (std::size_t i = 0; i < state->accounts().size(); ++i) {
        const std::string account = "accounts[" + std::to_string(i) + "].";
        rested = rested && json_at(result.out, account + "fetched") == "0" && json_at(result.out, account + "deleted") == "0";
      }
      if (rested) return;
    }
    FAIL() << "it never comes to rest";
  }

  [[nodiscard]] std::size_t copies(const std::string& account, const std::string& message) const {
    return static_cast<std::size_t>(std::ranges::count(state->mail_of(account), message));
  }

  TempFolder folder;
  std::unique_ptr<LeftState> state;
  std::vector<LeftState::Row> before;
  std::map<std::string, std::map<std::string, std::string>> octets;  // as stored, by account and unique-id
  std::map<std::string, std::vector<std::string>> mail_before;
};

// Else the other tests say nothing.
TEST_P(OlderState, HoldsRowsOfEveryKind) {
  for (const RowState kind : {RowState::staged, RowState::published, RowState::seen, RowState::held, RowState::skipped}) {
    EXPECT_TRUE(std::ranges::any_of(before, [&](const auto& row) { return is(row, kind); })) << static_cast<int>(kind);
  }
  EXPECT_THAT(before, Contains(testing::Field(&LeftState::Row::dele_sent, true)));
  EXPECT_TRUE(std::ranges::any_of(before, is_adopted));
}

TEST_P(OlderState, HasEveryMessageOnceAndNewMailComes) {
  for (const std::string& account : state->accounts()) state->server().add_to(account, small_message("new for " + account), "new");
  sync_until_rest();
  for (const LeftState::Row& row : before) {
    const auto message = octets[row.account].find(row.uid);
    if (message == octets[row.account].end()) continue;  // deleted elsewhere
    EXPECT_EQ(copies(row.account, message->second), is_stored(row) || is_adopted(row) ? 1U : 0U) << row.account << " " << row.uid;
  }
  for (const std::string& account : state->accounts()) {
    EXPECT_EQ(copies(account, octets_stored(small_message("new for " + account))), 1U) << account;
    for (const std::string& message : mail_before[account]) {
      const bool torn =
          std::ranges::any_of(octets[account], [&](const auto& each) { return each.second != message && each.second.starts_with(message); });
      EXPECT_EQ(copies(account, message), torn ? 0U : 1U) << account << ": " << message;
    }
  }
}

TEST_P(OlderState, IsDeletedOnTheServerOnlyWhereMailIsStoredAndThePolicyAsksForIt) {
  sync_until_rest();
  std::map<std::string, std::vector<std::string>> stay;
  for (const LeftState::Row& row : before) {
    if (octets[row.account].contains(row.uid) && (!GetParam().policy.deletes || !(is_stored(row) || is_adopted(row))))
      stay[row.account].push_back(row.uid);
  }
  for (const std::string& account : state->accounts()) {
    auto there = state->server().uids(account);
    std::ranges::sort(there);
    EXPECT_EQ(there, stay[account]) << account;
  }
}

TEST_P(OlderState, RowsStayWhatTheyWereAndStagedOnesArePublished) {
  sync_until_rest();
  const auto key = [](const LeftState::Row& row) { return std::tuple(row.account, row.uid, is(row, RowState::staged) ? 1 : row.state); };
  std::vector<std::tuple<std::string, std::string, int>> expected;
  std::vector<std::tuple<std::string, std::string, int>> found;
  std::ranges::transform(before, std::back_inserter(expected), key);
  for (const LeftState::Row& row : state->rows()) found.emplace_back(row.account, row.uid, row.state);
  EXPECT_EQ(found, expected);
}

TEST_P(OlderState, IsNotRetrievedAgainUnlessADeletionIsInDoubt) {
  if (GetParam().policy.deletes) return;  // what is to be deleted may be asked for once more
  sync_until_rest();
  std::set<std::string> in_doubt;
  for (const LeftState::Row& row : before) {
    if (row.dele_sent) in_doubt.insert(row.uid);
  }
  for (const auto& [uid, times] : state->server().record().retrieved) EXPECT_TRUE(in_doubt.contains(uid)) << uid;
}

TEST_P(OlderState, VerifyMissesNothing) {
  sync_until_rest();
  for (const std::string& account : state->accounts()) {
    const ProgramResult result = state->home().run({"verify", account});
    EXPECT_EQ(result.status, 0) << result.out << result.err;
  }
}

INSTANTIATE_TEST_SUITE_P(LeftBy, OlderState, testing::ValuesIn(cases()),
                         [](const auto& tested) { return version_of(tested.param.archive) + tested.param.policy.name; });

}  // namespace
}  // namespace popsync::test
