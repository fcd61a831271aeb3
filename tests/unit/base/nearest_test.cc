// SPDX-License-Identifier: MIT
#include "base/nearest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace popsync {
namespace {

const std::vector<std::string> kCommands = {"run", "sync", "check", "list", "status", "leave_on_server"};

TEST(Nearest, FindsTheWordMeant) {
  EXPECT_EQ(nearest("snyc", kCommands), "sync");
  EXPECT_EQ(nearest("stauts", kCommands), "status");
  EXPECT_EQ(nearest("leave_on_sever", kCommands), "leave_on_server");
  EXPECT_EQ(nearest("sync", kCommands), "sync");
}

TEST(Nearest, TwoStepsAreAllowedInAShortWordAndAThirdInALongOne) {
  EXPECT_EQ(nearest("xxnc", kCommands), "sync");
  EXPECT_EQ(nearest("xxxc", kCommands), std::nullopt);
  EXPECT_EQ(nearest("leave_on_sXXXXX", kCommands), "leave_on_server");  // 15 octets, 5 wrong
  EXPECT_EQ(nearest("leave_on_XXXXXX", kCommands), std::nullopt);
}

TEST(Nearest, TheSmallestDistanceWins) {
  const std::vector<std::string> words = {"hosts", "host", "ghost"};
  EXPECT_EQ(nearest("hist", words), "host");
}

TEST(Nearest, NothingIsNearToNonsenseToNoCandidatesOrToAVeryLongWord) {
  EXPECT_EQ(nearest("frobnicate", kCommands), std::nullopt);
  EXPECT_EQ(nearest("sync", {}), std::nullopt);
  const std::vector<std::string> same = {std::string(201, 'x')};
  EXPECT_EQ(nearest(same.front(), same), std::nullopt);
}

TEST(DidYouMean, IsEmptyWithoutACandidate) {
  EXPECT_EQ(did_you_mean("snyc", kCommands), "; did you mean \"sync\"?");
  EXPECT_EQ(did_you_mean("frobnicate", kCommands), "");
}

}  // namespace
}  // namespace popsync
