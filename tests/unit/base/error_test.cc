// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace popsync {
namespace {

using testing::HasSubstr;

std::vector<ErrorCode> all_codes() {
  std::vector<ErrorCode> codes;
  for (int i = 0; i <= static_cast<int>(ErrorCode::differences); ++i) codes.push_back(static_cast<ErrorCode>(i));
  return codes;
}

TEST(ErrorCode, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const ErrorCode code : all_codes()) {
    const std::string name(name_of(code));
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos) << name;
    EXPECT_TRUE(names.insert(name).second) << name << " stands for two codes";
  }
}

TEST(ErrorCode, ANameLeadsBackToItsCode) {
  for (const ErrorCode code : all_codes()) EXPECT_EQ(error_code_named(name_of(code)), code);
  for (const char* name : {"", "timeou", "timeouts", "TIMEOUT"}) EXPECT_EQ(error_code_named(name), std::nullopt) << name;
}

TEST(ErrorCode, ALoginIsRefusedWithAReasonOrWithoutOne) {
  for (const ErrorCode code : all_codes())
    EXPECT_EQ(refuses_login(code), name_of(code).starts_with("login_") && exit_status(code) == 77) << name_of(code);
}

TEST(ErrorCode, EveryStatusIsInTheClosedListAndNoneIsSuccess) {
  const std::set<int> closed = {64, 65, 66, 69, 70, 73, 74, 75, 76, 77, 78};
  for (const ErrorCode code : all_codes()) EXPECT_TRUE(closed.contains(exit_status(code))) << name_of(code) << " " << exit_status(code);
}

TEST(ErrorCode, TheStatusSaysWhatKindOfTroubleItIs) {
  const std::vector<std::pair<ErrorCode, int>> table = {
      {ErrorCode::usage, 64},
      {ErrorCode::unknown_account, 64},
      {ErrorCode::unknown_uid, 64},
      {ErrorCode::differences, 65},
      {ErrorCode::file_not_found, 66},
      {ErrorCode::host_unknown, 69},
      {ErrorCode::greeting_refused, 69},
      {ErrorCode::server_permanent, 69},
      {ErrorCode::bug, 70},
      {ErrorCode::mailstore_unavailable, 73},
      {ErrorCode::state_unavailable, 73},
      {ErrorCode::io_error, 74},
      {ErrorCode::state_corrupt, 74},
      {ErrorCode::network, 75},
      {ErrorCode::timeout, 75},
      {ErrorCode::dns_temporary, 75},
      {ErrorCode::in_use, 75},
      {ErrorCode::login_delay, 75},
      {ErrorCode::server_temporary, 75},
      {ErrorCode::disk_full, 75},
      {ErrorCode::disk_hangs, 75},
      {ErrorCode::lock_held, 75},
      {ErrorCode::interrupted, 75},
      {ErrorCode::not_pop3, 76},
      {ErrorCode::desynchronised, 76},
      {ErrorCode::login_refused, 77},
      {ErrorCode::login_unclear, 77},
      {ErrorCode::secret_unavailable, 77},
      {ErrorCode::insecure_login, 77},
      {ErrorCode::certificate, 77},
      {ErrorCode::tls_failed, 77},
      {ErrorCode::configuration, 78},
      {ErrorCode::newer_schema, 78},
      {ErrorCode::account_identity, 78},
      {ErrorCode::mailstore_foreign, 78},
  };
  EXPECT_EQ(table.size(), all_codes().size());
  for (const auto& [code, status] : table) EXPECT_EQ(exit_status(code), status) << name_of(code);
}

TEST(WorseExitStatus, TheOneNamedFirstInTheOrderWins) {
  const std::vector<int> order = {64, 70, 78, 77, 74, 73, 76, 69, 75, 66, 65, 0};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i; j < order.size(); ++j) {
      EXPECT_EQ(worse_exit_status(order[i], order[j]), order[i]);
      EXPECT_EQ(worse_exit_status(order[j], order[i]), order[i]);
    }
  }
}

TEST(WorseExitStatus, AStatusOutsideTheListIsABug) { EXPECT_EQ(worse_exit_status(1, 2), 70); }

TEST(Error, WhatJoinsMessageAndHint) {
  const Error error(ErrorCode::timeout, "the server fell silent", "try later");
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_EQ(error.message(), "the server fell silent");
  EXPECT_EQ(error.hint(), "try later");
  EXPECT_STREQ(error.what(), "the server fell silent; try later");
}

TEST(Error, WithoutAHintWhatIsTheMessage) { EXPECT_STREQ(Error(ErrorCode::timeout, "silent").what(), "silent"); }

TEST(Error, ErrnoTextNamesTheErrorAndNotTheNumber) { EXPECT_EQ(errno_text(ENOENT), "No such file or directory"); }

TEST(AssertDeathTest, ABrokenInvariantEndsTheProcessAndNamesTheExpression) { EXPECT_DEATH(POPSYNC_ASSERT(1 + 1 == 3), HasSubstr("1 + 1 == 3")); }

}  // namespace
}  // namespace popsync
