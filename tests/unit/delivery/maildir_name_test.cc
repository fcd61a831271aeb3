// SPDX-License-Identifier: MIT
#include "delivery/maildir_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/random.h"

namespace popsync::delivery {
namespace {

using namespace std::chrono_literals;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr const char* kToken = "0123456789ab";

TEST(MaildirName, HasTheFormThatRecoveryAndReadersKnow) {
  ManualClock clock(from_unix_seconds(1'700'000'000));
  clock.advance(42us);
  const std::string name = make_name(clock, kToken);
  EXPECT_THAT(name, StartsWith("1700000000.M42P" + std::to_string(::getpid()) + "Q"));
  EXPECT_THAT(name, MatchesRegex("1700000000\\.M42P[0-9]+Q[0-9]+R[0-9a-f]{16}_0123456789ab\\..+"));
}

TEST(MaildirName, TokenIsFoundAgainInNamesAndMarkersAndInNothingElse) {
  EXPECT_EQ(token_in(make_name(system_clock(), kToken)), kToken);
  EXPECT_EQ(token_in("0123456789abcdef_0123456789ab"), kToken);  // the marker of an mbox entry
  for (const char* other :
       {"", "_", "1700000000.V801I1.host", "1700000000.1_0.host", "R0123456789abcdef_0123456789a.host", "R0123456789abcdef_0123456789abc.host",
        "R0123456789abcdef_0123456789AB.host", "R0123456789abcde_0123456789ab.host", "0123456789abcdeg_0123456789ab", "R0123456789abcdef_"}) {
    EXPECT_EQ(token_in(other), "") << other;
  }
}

TEST(MaildirName, HasNoOctetThatMeansSomethingInAFileNameOrInFlags) {
  const std::string name = make_name(system_clock(), kToken);
  EXPECT_EQ(name.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-\\"), std::string::npos) << name;
  EXPECT_LE(name.size(), kNameOctetsMax);
  EXPECT_EQ(name_without_flags(name), name);
}

TEST(MaildirName, IsUniqueAlsoWhenTheClockStandsStillAndThreadsMakeThemAtOnce) {
  const ManualClock clock;
  std::vector<std::vector<std::string>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& names : made) {
      threads.emplace_back([&names, &clock] {
        for (int i = 0; i < 2'500; ++i) names.push_back(make_name(clock, kToken));
      });
    }
  }
  std::set<std::string> all;
  std::set<std::string> random_parts;
  for (const auto& names : made) {
    for (const std::string& name : names) {
      all.insert(name);
      random_parts.insert(name.substr(name.find('R') + 1, 16));
    }
  }
  EXPECT_EQ(all.size(), 10'000U);
  EXPECT_EQ(random_parts.size(), 10'000U);  // unique by these alone: process ids and counters repeat after a restart
}

TEST(MaildirName, FlagsBeginAtTheFirstOfFourOctets) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"1.M2P3Q4R5_6.host", "1.M2P3Q4R5_6.host"},
      {"1.M2P3Q4R5_6.host:2,", "1.M2P3Q4R5_6.host"},
      {"1.M2P3Q4R5_6.host:2,FRS", "1.M2P3Q4R5_6.host"},
      {"1.M2P3Q4R5_6.host,S=10,W=12:2,S", "1.M2P3Q4R5_6.host"},  // Dovecot
      {"1.M2P3Q4R5_6.host,U=12:2,S", "1.M2P3Q4R5_6.host"},       // mbsync
      {"1.M2P3Q4R5_6.host;2,S", "1.M2P3Q4R5_6.host"},            // where : cannot be
      {"1.M2P3Q4R5_6.host!2,S", "1.M2P3Q4R5_6.host"},
      {":2,S", ""},
      {"", ""},
  };
  for (const auto& [name, bare] : table) EXPECT_EQ(name_without_flags(name), bare) << name;
}

TEST(MaildirToken, IsStableBecauseALostStateIsRelearntFromIt) {
  const HmacSha256 key(std::string(32, 'k'));
  EXPECT_EQ(make_token(key, "0011223344556677", "uid", 120), to_hex(key.of("0011223344556677|uid|120")).substr(0, 12));
  EXPECT_EQ(make_token(key, "0011223344556677", "uid", 120), "ac75817766bf");
  EXPECT_EQ(make_token(key, "0011223344556677", "uid", {}), to_hex(key.of("0011223344556677|uid|")).substr(0, 12));
}

TEST(MaildirToken, DiffersByInstallAccountUniqueIdAndSize) {
  const HmacSha256 key("key");
  const std::set<std::string> tokens = {
      make_token(key, "account", "uid", 120), make_token(HmacSha256("other"), "account", "uid", 120),
      make_token(key, "other", "uid", 120),   make_token(key, "account", "other", 120),
      make_token(key, "account", "uid", 121), make_token(key, "account", "uid", {}),
  };
  EXPECT_EQ(tokens.size(), 6U);
}

TEST(MakeNameLike, KeepsTheTokenAndNothingElseThatIsUnique) {
  const std::string name = make_name(system_clock(), "0123456789ab");
  const std::string other = make_name_like(system_clock(), name);
  EXPECT_NE(other, name);
  EXPECT_NE(other.find("_0123456789ab."), std::string::npos) << other;
}

}  // namespace
}  // namespace popsync::delivery
