// SPDX-License-Identifier: MIT
#include "pop3/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace popsync::pop3 {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Capabilities of(std::initializer_list<std::string_view> lines) {
  Capabilities capabilities;
  for (const std::string_view line : lines) capabilities.add(line);
  return capabilities;
}

TEST(Capabilities, AnnounceNothingByThemselves) { EXPECT_EQ(of({}), Capabilities{}); }

TEST(Capabilities, AreKnownByTheirTags) {
  const Capabilities all = of({"TOP", "USER", "UIDL", "PIPELINING", "STLS", "RESP-CODES"});
  EXPECT_TRUE(all.top && all.user && all.uidl && all.pipelining && all.stls);
}

// protocol.md 33
TEST(Capabilities, AreReadInAnyCaseWithAnyBlanks) {
  const Capabilities all = of({"top  ", " uidl", "Pipelining\t", "stls", "sasl  plain\tLogin "});
  EXPECT_TRUE(all.top && all.uidl && all.pipelining && all.stls);
  EXPECT_TRUE(all.sasl_plain);
}

TEST(Capabilities, UnknownOnesAreIgnored) {
  EXPECT_EQ(of({"", "   ", "X-FROBNICATE 1 2", "AUTH-RESP-CODE", std::string(4096, 'X'), "UTF8 USER", "LANG"}), Capabilities{});
}

// NO STARTTLS: a tag counts only as the first word, and whole.
TEST(Capabilities, ATagIsAWholeFirstWord) { EXPECT_EQ(of({"XSTLS", "STLSX", "X STLS", "NOTOP TOP"}), Capabilities{}); }

TEST(Capabilities, OfMechanismsNothingIsKeptButTheOneThatWeKnow) {
  EXPECT_TRUE(of({"SASL CRAM-MD5", "SASL LOGIN PLAIN", "SASL"}).sasl_plain);
  EXPECT_EQ(of({"SASL", "SASL CRAM-MD5 XPLAIN PLAINX LOGIN"}), Capabilities{});
}

// protocol.md 36
TEST(Capabilities, LoginDelayIsInSeconds) {
  EXPECT_EQ(of({"LOGIN-DELAY 300"}).login_delay, 300s);
  EXPECT_EQ(of({"login-delay 60 USER"}).login_delay, 60s);
  EXPECT_EQ(of({"LOGIN-DELAY 0"}).login_delay, 0s);
  EXPECT_EQ(of({"LOGIN-DELAY"}).login_delay, std::nullopt);
  EXPECT_EQ(of({"LOGIN-DELAY soon"}).login_delay, std::nullopt);
  EXPECT_EQ(of({"LOGIN-DELAY -1"}).login_delay, std::nullopt);
  EXPECT_EQ(of({"LOGIN-DELAY 300s"}).login_delay, std::nullopt);
  EXPECT_EQ(of({"LOGIN-DELAY 99999999999999"}).login_delay, std::nullopt);
}

// protocol.md 35
TEST(Capabilities, ExpireIsInDaysAndNeverIsNone) {
  EXPECT_EQ(of({"EXPIRE 0"}).expire, std::chrono::days(0));
  EXPECT_EQ(of({"EXPIRE 31 USER"}).expire, std::chrono::days(31));
  EXPECT_EQ(of({"EXPIRE NEVER"}).expire, std::nullopt);
  EXPECT_EQ(of({"expire never"}).expire, std::nullopt);
}

TEST(Capabilities, TheImplementationIsKeptAsTheServerCallsIt) {
  EXPECT_THAT(of({"IMPLEMENTATION Cyrus POP3 v2.4"}).implementation, HasSubstr("Cyrus POP3 v2.4"));
  EXPECT_EQ(of({"IMPLEMENTATION"}).implementation, "");
}

TEST(Capabilities, WhatIsSeenCannotBeAnnounced) { EXPECT_FALSE(of({"REFUSES-EMPTY", "CAPA"}).refuses_empty); }

TEST(Capabilities, ComeBackFromTheirText) {
  Capabilities all = of({"TOP", "USER", "UIDL", "PIPELINING", "STLS", "SASL PLAIN LOGIN", "LOGIN-DELAY 300", "EXPIRE 31 USER"});
  all.announced = true;
  all.refuses_empty = true;
  EXPECT_EQ(Capabilities::from_text(all.to_text()), all);
  Capabilities none;
  EXPECT_EQ(Capabilities::from_text(none.to_text()), none);
  none.announced = true;  // CAPA was answered, with nothing
  EXPECT_EQ(Capabilities::from_text(none.to_text()), none);
}

}  // namespace
}  // namespace popsync::pop3
