// SPDX-License-Identifier: MIT
#include "config/units.h"

#include <gtest/gtest.h>

#include <array>

namespace popsync::config {
namespace {

using std::chrono::seconds;

TEST(ParseDuration, ReadsANumberAndAUnit) {
  EXPECT_EQ(parse_duration("0s"), seconds(0));
  EXPECT_EQ(parse_duration("30s"), seconds(30));
  EXPECT_EQ(parse_duration("5m"), seconds(300));
  EXPECT_EQ(parse_duration("2h"), seconds(7200));
  EXPECT_EQ(parse_duration("14d"), seconds(14 * 86400));
  EXPECT_EQ(parse_duration("007m"), seconds(420));
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const std::string_view text : {"", "s", "5", "5 m", " 5m", "5m ", "-5m", "+5m", "1h30m", "5M", "5min", "1.5h", "0x5m", "5m5", "\xC2\xB5s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(ParseDuration, RefusesWhatDoesNotFit) {
  EXPECT_EQ(parse_duration("9223372036854775807s"), seconds(9223372036854775807));
  EXPECT_EQ(parse_duration("9223372036854775808s"), std::nullopt);
  EXPECT_EQ(parse_duration("106751991167300d"), seconds(106751991167300 * 86400));
  EXPECT_EQ(parse_duration("106751991167301d"), std::nullopt);
  EXPECT_EQ(parse_duration("99999999999999999999s"), std::nullopt);
}

TEST(ParseSize, ReadsPowersOf1000And1024) {
  EXPECT_EQ(parse_size("0B"), 0U);
  EXPECT_EQ(parse_size("512B"), 512U);
  EXPECT_EQ(parse_size("10kB"), 10'000U);
  EXPECT_EQ(parse_size("10KiB"), 10'240U);
  EXPECT_EQ(parse_size("25MB"), 25'000'000U);
  EXPECT_EQ(parse_size("25MiB"), 25U << 20U);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000U);
  EXPECT_EQ(parse_size("1GiB"), 1ULL << 30U);
  EXPECT_EQ(parse_size("1TB"), 1'000'000'000'000U);
  EXPECT_EQ(parse_size("1TiB"), 1ULL << 40U);
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const std::string_view text : {"", "B", "10", "10k", "10K", "10KB", "10 kB", "10mb", "-1B", "1.5MB", "1PB", "10kBB"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(ParseSize, RefusesWhatDoesNotFit) {
  EXPECT_EQ(parse_size("18446744073709551615B"), 18446744073709551615U);
  EXPECT_EQ(parse_size("18446744073709551616B"), std::nullopt);
  EXPECT_EQ(parse_size("16777215TiB"), 16777215ULL << 40U);
  EXPECT_EQ(parse_size("16777216TiB"), std::nullopt);
}

TEST(DurationText, IsTheShortestExactOne) {
  EXPECT_EQ(duration_text(seconds(0)), "0s");
  EXPECT_EQ(duration_text(seconds(90)), "90s");
  EXPECT_EQ(duration_text(seconds(300)), "5m");
  EXPECT_EQ(duration_text(seconds(86400)), "1d");
  EXPECT_EQ(duration_text(seconds(86401)), "86401s");
}

TEST(SizeText, IsTheShortestExactOne) {
  EXPECT_EQ(size_text(0), "0B");
  EXPECT_EQ(size_text(1023), "1023B");
  EXPECT_EQ(size_text(512ULL << 20U), "512MiB");
  EXPECT_EQ(size_text(25'000'000), "25MB");
}

TEST(Units, WhatIsWrittenIsReadBack) {
  for (const std::uint64_t amount :
       {0ULL, 1ULL, 59ULL, 60ULL, 1000ULL, 1024ULL, 3600ULL, 86400ULL, 1234567ULL, 1ULL << 40U, 9223372036854775807ULL}) {
    EXPECT_EQ(parse_size(size_text(amount)), amount);
    EXPECT_EQ(parse_duration(duration_text(seconds(amount))), seconds(amount));
  }
}

}  // namespace
}  // namespace popsync::config
