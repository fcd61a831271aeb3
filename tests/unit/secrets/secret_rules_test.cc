// SPDX-License-Identifier: MIT
#include "secrets/secret_rules.h"

#include <gtest/gtest.h>

namespace popsync::secrets {
namespace {

constexpr uid_t kUs = 1000;
constexpr gid_t kOurGroup = 1000;

struct stat status_with(mode_t mode, uid_t user, gid_t group) {
  struct stat status {};
  status.st_mode = S_IFREG | mode;
  status.st_uid = user;
  status.st_gid = group;
  return status;
}

TEST(ExposureOf, AcceptsOursAndRootsWithNothingForOthers) {
  EXPECT_EQ(exposure_of(status_with(0600, kUs, kOurGroup), kUs, kOurGroup), std::nullopt);
  EXPECT_EQ(exposure_of(status_with(0400, 0, 0), kUs, kOurGroup), std::nullopt);
  EXPECT_EQ(exposure_of(status_with(0640, kUs, kOurGroup), kUs, kOurGroup), std::nullopt);
  EXPECT_EQ(exposure_of(status_with(0640, 0, kOurGroup), kUs, kOurGroup), std::nullopt);
  EXPECT_EQ(exposure_of(status_with(0600, kUs, 77), kUs, kOurGroup), std::nullopt);
}

TEST(ExposureOf, RefusesOthersForeignGroupsAndForeignOwners) {
  for (const mode_t mode : {0604U, 0602U, 0601U, 0644U, 0606U}) {
    EXPECT_NE(exposure_of(status_with(mode, kUs, kOurGroup), kUs, kOurGroup), std::nullopt) << mode;
  }
  EXPECT_EQ(exposure_of(status_with(0644, kUs, kOurGroup), kUs, kOurGroup), "others have access to it (mode 0644)");
  EXPECT_EQ(exposure_of(status_with(0640, kUs, 77), kUs, kOurGroup), "group 77 has access to it (mode 0640), which is not our own");
  EXPECT_EQ(exposure_of(status_with(0600, 1001, kOurGroup), kUs, kOurGroup), "it belongs to user 1001, neither to us (1000) nor to root");
}

TEST(FaultOfLoginWord, NamesWhatWouldEndTheCommandLine) {
  EXPECT_EQ(fault_of_login_word("plain"), std::nullopt);
  EXPECT_EQ(fault_of_login_word("with a space "), std::nullopt);
  EXPECT_EQ(fault_of_login_word("p\xC3\xA4ss"), std::nullopt);
  EXPECT_EQ(fault_of_login_word(""), "is empty");
  EXPECT_EQ(fault_of_login_word("a\rb"), "contains a line end");
  EXPECT_EQ(fault_of_login_word("a\nDELE 1"), "contains a line end");
  EXPECT_EQ(fault_of_login_word(std::string_view("a\0b", 3)), "contains a NUL octet");
  EXPECT_EQ(fault_of_login_word(" a"), "begins with a space");
}

}  // namespace
}  // namespace popsync::secrets
