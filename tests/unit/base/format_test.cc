// SPDX-License-Identifier: MIT
#include "base/format.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

namespace popsync {
namespace {

using namespace std::chrono_literals;

TEST(Rfc3339, IsUtcWithWholeSeconds) {
  EXPECT_EQ(rfc3339_utc(from_unix_seconds(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339_utc(from_unix_seconds(1'769'848'200)), "2026-01-31T08:30:00Z");
  EXPECT_EQ(rfc3339_utc(from_unix_seconds(1'709'164'799) + 999ms), "2024-02-28T23:59:59Z");
  EXPECT_EQ(rfc3339_utc(from_unix_seconds(1'709'164'800)), "2024-02-29T00:00:00Z");
}

TEST(Rfc3339, AFractionBefore1970BelongsToTheSecondBelow) { EXPECT_EQ(rfc3339_utc(from_unix_seconds(0) - 1ms), "1969-12-31T23:59:59Z"); }

TEST(HumanOctets, CountsInPowersOfAThousand) {
  const std::vector<std::pair<std::uint64_t, std::string>> table = {
      {0, "0 B"},
      {9, "9 B"},
      {999, "999 B"},
      {1000, "1.0 kB"},
      {12'345, "12.3 kB"},
      {999'949, "999.9 kB"},
      {999'950, "1.0 MB"},  // never "1000.0 kB"
      {1'200'000'000, "1.2 GB"},
      {3'000'000'000'000, "3.0 TB"},
      {std::numeric_limits<std::uint64_t>::max(), "18446.7 PB"},
  };
  for (const auto& [octets, text] : table) EXPECT_EQ(human_octets(octets), text);
}

TEST(HumanDuration, NamesTheTwoUnitsThatMatter) {
  const std::vector<std::pair<std::chrono::milliseconds, std::string>> table = {
      {0ms, "0 ms"},
      {850ms, "850 ms"},
      {999ms, "999 ms"},
      {1s, "1 s"},
      {12s + 999ms, "12 s"},
      {59s, "59 s"},
      {60s, "1 min"},
      {3min + 20s, "3 min 20 s"},
      {1h, "1 h"},
      {2h + 5min + 59s, "2 h 5 min"},
      {23h + 59min, "23 h 59 min"},
      {24h, "1 d"},
      {14 * 24h, "14 d"},
      {36h, "1 d 12 h"},
  };
  for (const auto& [duration, text] : table) EXPECT_EQ(human_duration(duration), text);
}

TEST(Counted, OnlyOneIsSingular) {
  EXPECT_EQ(counted(0, "message"), "0 messages");
  EXPECT_EQ(counted(1, "message"), "1 message");
  EXPECT_EQ(counted(2, "message"), "2 messages");
}

}  // namespace
}  // namespace popsync
