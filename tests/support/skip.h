// SPDX-License-Identifier: MIT
// Tests that need a program this machine may lack skip with a reason; with POPSYNC_REQUIRE_ALL=1 (continuous integration) they fail instead, so that
// nothing is left out unseen. To be used in the body of a test or SetUp.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace popsync::test {

// Where an executable is: in PATH, /usr/sbin or /sbin, or at the absolute path given.
std::optional<std::string> find_program(const std::string& name);
bool program_available(const std::string& name);
// POPSYNC_REQUIRE_ALL is 1.
bool everything_required();

}  // namespace popsync::test

#define POPSYNC_REQUIRE(condition, reason)                            \
  do {                                                                \
    if (!(condition)) {                                               \
      if (::popsync::test::everything_required()) FAIL() << (reason); \
      GTEST_SKIP() << (reason);                                       \
    }                                                                 \
  } while (false)

#define POPSYNC_REQUIRE_PROGRAM(name) POPSYNC_REQUIRE(::popsync::test::program_available(name), std::string(name) + " is not installed")
