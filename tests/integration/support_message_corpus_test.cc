// SPDX-License-Identifier: MIT
#include "support/message_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/digest.h"
#include "base/random.h"

namespace popsync::test {
namespace {

TEST(MessageCorpus, WireFormStuffsAndTerminates) {
  EXPECT_EQ(octets_on_wire(""), ".\r\n");
  EXPECT_EQ(octets_on_wire("a"), "a\r\n.\r\n");
  EXPECT_EQ(octets_on_wire(".\r\n..\r\na.\r\n"), "..\r\n...\r\na.\r\n.\r\n");
  EXPECT_EQ(octets_on_wire("a\n.b\r\n"), "a\n.b\r\n.\r\n") << "a line begins behind CRLF alone";
  EXPECT_EQ(octets_on_wire("a\r\n\r\n.\r"), "a\r\n\r\n..\r\r\n.\r\n");
}

TEST(MessageCorpus, StoredFormChangesCrlfAlone) {
  EXPECT_EQ(octets_stored(""), "");
  EXPECT_EQ(octets_stored("a\r\r\nb\rc\nd\r\n"), "a\r\nb\rc\nd\n");
  EXPECT_EQ(octets_stored("a\r"), "a\r\n");
  EXPECT_EQ(octets_stored("a"), "a\n");
}

TEST(MessageCorpus, WithCrlfAddsOnlyWhatIsMissing) { EXPECT_EQ(with_crlf("a\nb\r\n\nc"), "a\r\nb\r\n\r\nc"); }

TEST(MessageCorpus, SameSeedGivesTheSameMessages) {
  EXPECT_EQ(realistic_messages(20, 7), realistic_messages(20, 7));
  EXPECT_NE(realistic_messages(20, 7), realistic_messages(20, 8));
}

TEST(MessageCorpus, SizesAreSpreadAroundNineKilobytes) {
  std::vector<std::size_t> sizes;
  for (const std::string& message : realistic_messages(1000)) sizes.push_back(message.size());
  std::sort(sizes.begin(), sizes.end());
  EXPECT_GT(sizes[500], 7'000U);
  EXPECT_LT(sizes[500], 11'000U);
  EXPECT_LT(sizes[100], 4'000U);
  EXPECT_GT(sizes[950], 40'000U);
}

TEST(MessageCorpus, RealisticMessagesHoldWhatMailHolds) {
  std::string all;
  for (const std::string& message : realistic_messages(200)) {
    ASSERT_NE(message.find("\r\n\r\n"), std::string::npos);
    ASSERT_EQ(octets_stored(message).find('\r'), std::string::npos) << "only CRLF line ends";
    all += message;
  }
  for (const char* part : {"\r\n.\r\n", "\r\nFrom ", "multipart/mixed", "base64", "=?UTF-8?", "\xE9", "Zürich"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part;
  }
}

TEST(MessageCorpus, AwkwardMessagesHaveDistinctNames) {
  std::set<std::string> names;
  for (const NamedMessage& message : awkward_messages()) EXPECT_TRUE(names.insert(message.name).second) << message.name;
  EXPECT_GT(names.size(), 20U);
}

}  // namespace
}  // namespace popsync::test
