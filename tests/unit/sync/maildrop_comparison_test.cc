// SPDX-License-Identifier: MIT
#include "sync/maildrop_comparison.h"

#include <gtest/gtest.h>

namespace popsync::sync {
namespace {

using Verdict = MaildropComparison::Verdict;

TEST(MaildropComparison, MostOfWhatWasLookedAtHasToBeEqual) {
  EXPECT_EQ((MaildropComparison{.looked_at = 0, .equal = 0}.verdict()), Verdict::unclear);
  EXPECT_EQ((MaildropComparison{.looked_at = 1, .equal = 1}.verdict()), Verdict::same);
  EXPECT_EQ((MaildropComparison{.looked_at = 100, .equal = 50}.verdict()), Verdict::unclear);
  EXPECT_EQ((MaildropComparison{.looked_at = 100, .equal = 51}.verdict()), Verdict::same);
}

TEST(MaildropComparison, OneOtherMessageOutweighsAllEqualOnes) {
  EXPECT_EQ((MaildropComparison{.looked_at = 100, .equal = 99, .other = "uid"}.verdict()), Verdict::another);
}

}  // namespace
}  // namespace popsync::sync
