// SPDX-License-Identifier: MIT
#include "secrets/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "secrets/locked_memory.h"

namespace popsync::secrets {
namespace {

// The VmFlags line of the mapping that holds `address`.
std::string flags_of_mapping(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= wanted && wanted < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(Secret, HoldsItsOctetsUntilMovedAway) {
  Secret first("s3cret");
  EXPECT_EQ(first.reveal(), "s3cret");
  Secret second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT: what is left behind is the claim
  EXPECT_EQ(second.reveal(), "s3cret");
  Secret third("other");
  third = std::move(second);
  EXPECT_EQ(third.reveal(), "s3cret");
  Secret& same = third;
  third = std::move(same);
  EXPECT_EQ(third.reveal(), "s3cret");
}

TEST(Secret, IsEmptyWithoutOctets) {
  EXPECT_TRUE(Secret().empty());
  EXPECT_TRUE(Secret("").empty());
  EXPECT_EQ(Secret("").reveal(), "");
}

TEST(Secret, StaysOutOfCoreDumpsAndForkedChildren) {
  const Secret secret("s3cret");
  const std::string flags = flags_of_mapping(secret.reveal().data());
  ASSERT_NE(flags, "");
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  EXPECT_NE(flags.find(" wf "), std::string::npos) << flags;
}

TEST(SecretBuffer, KeepsWhatItIsToldToKeep) {
  SecretBuffer buffer(8);
  EXPECT_EQ(buffer.free_size(), 8U);
  std::copy_n("abcd", 4, buffer.free_space());
  buffer.keep(3);
  EXPECT_EQ(buffer.content(), "abc");
  EXPECT_EQ(buffer.free_size(), 5U);
}

}  // namespace
}  // namespace popsync::secrets
