// SPDX-License-Identifier: MIT
#include "sync/relearning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "delivery/maildir_name.h"

namespace popsync::sync {
namespace {

using state::RowState;
using testing::ElementsAre;
using testing::IsEmpty;

using Size = std::optional<std::uint64_t>;

const TokenOwner kOwner{.install_key = std::string(32, 'k'), .account_id = "0123456789abcdef"};

struct Relearn : testing::Test {
  void list(const std::string& uid, Size size) {
    listing.push_back({.number = pop3::MessageNumber{static_cast<std::uint32_t>(listing.size() + 1)}, .uid = {uid}, .list_size = size});
  }
  void row(state::RowId id, RowState state, const std::string& uid, Size size) {
    state::MessageRow row;
    row.id = id;
    row.state = state;
    row.uid = {uid};
    row.list_size = size;
    rows.push_back(row);
  }
  std::string file(const std::string& uid, Size size, const TokenOwner& owner = kOwner) {
    const std::string name = delivery::make_name(system_clock(), delivery::make_token(HmacSha256(owner.install_key), owner.account_id, uid, size));
    files.push_back({.mailstore = 7, .name = name});
    return name;
  }
  Relearning learn() { return relearn_from_names(listing, rows, files, kOwner); }
  std::vector<std::string> here() {
    std::vector<std::string> uids;
    for (const Recognised& each : learn().here) uids.push_back(each.entry.uid.octets);
    return uids;
  }

  std::vector<pop3::ListingEntry> listing;
  std::vector<state::MessageRow> rows;
  std::vector<FileOfMailstore> files;
};

TEST_F(Relearn, WhatHasAFileIsHereAndTheRestIsNot) {
  list("a", 10);
  list("b", 20);
  const std::string name = file("a", 10);
  const Relearning found = learn();
  ASSERT_EQ(found.here.size(), 1U);
  EXPECT_EQ(found.here[0].entry.uid.octets, "a");
  EXPECT_EQ(found.here[0].file.name, name);
  EXPECT_EQ(found.here[0].file.mailstore, 7);
  EXPECT_EQ(found.not_here, 1U);
}

TEST_F(Relearn, TokensAreOfThisStateThisAccountThisUniqueIdAndThisSizeOnly) {
  list("a", 10);
  file("a", 11);
  file("b", 10);
  file("a", std::nullopt);
  file("a", 10, {.install_key = std::string(32, 'x'), .account_id = kOwner.account_id});
  file("a", 10, {.install_key = kOwner.install_key, .account_id = "fedcba9876543210"});
  EXPECT_THAT(here(), IsEmpty());
}

TEST_F(Relearn, EqualUniqueIdsAndSizesAreHereAsOftenAsFilesCarryTheToken) {
  for (int i = 0; i < 3; ++i) list("same", 10);
  file("same", 10);
  file("same", 10);
  EXPECT_THAT(here(), ElementsAre("same", "same"));
  EXPECT_EQ(learn().not_here, 1U);
  for (int i = 0; i < 5; ++i) file("same", 10);  // copies that the user made
  EXPECT_EQ(here().size(), 3U);
}

TEST_F(Relearn, RowsStandForTheirEntriesAndFilesForTheOthers) {
  list("same", 10);
  list("same", 10);
  row(1, RowState::published, "same", 10);
  file("same", 10);
  EXPECT_THAT(here(), ElementsAre("same"));
  row(2, RowState::seen, "same", 10);
  EXPECT_THAT(here(), IsEmpty());
  EXPECT_EQ(learn().not_here, 0U);
}

TEST_F(Relearn, DoneAgainItFindsNothing) {
  list("a", 10);
  list("same", 10);
  list("same", 10);
  file("a", 10);
  file("same", 10);
  for (const Recognised& each : learn().here)
    row(static_cast<state::RowId>(rows.size() + 1), RowState::seen, each.entry.uid.octets, each.entry.list_size);
  files.clear();  // the new rows name them
  EXPECT_THAT(here(), IsEmpty());
  EXPECT_EQ(learn().not_here, 1U);
}

TEST_F(Relearn, RowsAndEntriesWithoutSizeBelongTogetherByUniqueId) {
  list("a", 10);
  list("b", std::nullopt);
  row(1, RowState::published, "a", std::nullopt);
  row(2, RowState::published, "b", 20);
  file("a", 10);
  file("b", std::nullopt);
  EXPECT_THAT(here(), IsEmpty());
}

TEST_F(Relearn, HeldMessageThatWasFetchedAfterAllGivesItsRowUp) {
  list("a", 10);
  list("b", 20);
  row(1, RowState::held, "a", 10);
  row(2, RowState::held, "b", 20);
  file("a", 10);
  const Relearning found = learn();
  ASSERT_EQ(found.here.size(), 1U);
  EXPECT_THAT(found.here[0].replaces, ElementsAre(1));
  EXPECT_EQ(found.not_here, 0U);  // the other stays held
}

TEST_F(Relearn, RowOfAnotherSizeIsNoneOfTheEntry) {
  list("a", 10);
  row(1, RowState::published, "a", 12);
  file("a", 10);
  EXPECT_THAT(here(), ElementsAre("a"));
}

TEST_F(Relearn, NamesOfOtherProgramsSayNothing) {
  list("a", 10);
  for (const char* name : {"1700000000.V801I1.host", "1700000000.1_0.host", "_", ""}) files.push_back({.mailstore = 1, .name = name});
  EXPECT_THAT(here(), IsEmpty());
  EXPECT_EQ(learn().not_here, 1U);
}

}  // namespace
}  // namespace popsync::sync
