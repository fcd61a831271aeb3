// SPDX-License-Identifier: MIT
#include "support/temp_folder.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/skip.h"

namespace popsync::test {
namespace {

TEST(TempFolder, IsUniqueClosedToOthersAndRemoved) {
  std::string path;
  {
    const TempFolder one("same");
    const TempFolder two("same");
    EXPECT_NE(one.path(), two.path());
    path = one.path();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    ASSERT_EQ(::chmod(one.make("a/b").c_str(), 0500), 0);
    EXPECT_EQ(one.write("a/f", "octets\n"), path + "/a/f");
    EXPECT_EQ(one.read("a/f"), "octets\n");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

void needs_an_absent_program() { POPSYNC_REQUIRE_PROGRAM("no-such-program-of-popsync"); }

TEST(RequiredProgram, AbsenceFailsATestWhereEverythingIsRequired) {
  const char* before = std::getenv("POPSYNC_REQUIRE_ALL");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("POPSYNC_REQUIRE_ALL", "1", 1);
  EXPECT_FATAL_FAILURE(needs_an_absent_program(), "no-such-program-of-popsync is not installed");
  ::setenv("POPSYNC_REQUIRE_ALL", kept.c_str(), 1);
}

TEST(RequiredProgram, IsFoundInThePathOrSaidToBeAbsent) {
  EXPECT_TRUE(program_available("sh"));
  EXPECT_TRUE(program_available("/bin/sh"));
  EXPECT_FALSE(program_available("no-such-program-of-popsync"));
  EXPECT_FALSE(program_available("/bin/no-such-program-of-popsync"));
}

}  // namespace
}  // namespace popsync::test
