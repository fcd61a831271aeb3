// SPDX-License-Identifier: MIT
#include "pop3/types.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace popsync::pop3 {
namespace {

using namespace std::string_literals;

TEST(UniqueIdText, PrintableOctetsStandForThemselves) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"whqtswO00WBw418f9t5JxYwZ", "whqtswO00WBw418f9t5JxYwZ"},
      {"!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"},
      {"a b", "a%20b"},
      {"100%", "100%25"},
      {"a#2", "a%232"},
      {"\0\n\x1b\x7f\x80\xff"s, "%00%0A%1B%7F%80%FF"},
      {"é", "%C3%A9"},
  };
  for (const auto& [octets, text] : table) EXPECT_EQ(to_text(UniqueId{octets}), text);
}

TEST(UniqueIdText, TheFirstOfEqualOnesHasNoNumber) {
  EXPECT_EQ(to_text(UniqueId{"a"}, 1), "a");
  EXPECT_EQ(to_text(UniqueId{"a"}, 2), "a#2");
  EXPECT_EQ(to_text(UniqueId{"a"}, 17), "a#17");
}

TEST(UniqueIdText, AnyOctetsComeBackFromTheirText) {
  for (int round = 0; round < 2000; ++round) {
    const UniqueId uid{random_octets(1 + random_u64() % 64)};
    const std::size_t occurrence = 1 + random_u64() % 12;
    const std::string text = to_text(uid, occurrence);
    EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7E; })) << text;
    const auto parsed = parse_unique_id_text(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->uid, uid) << text;
    EXPECT_EQ(parsed->occurrence, occurrence) << text;
  }
}

TEST(UniqueIdText, HexadecimalMayBeTypedInLowerCase) { EXPECT_EQ(parse_unique_id_text("a%c3%A9")->uid.octets, "a\xc3\xa9"); }

TEST(UniqueIdText, WhatIsNotOfTheFormIsNothing) {
  for (const std::string text :
       {"", "a b", "%", "%2", "%2x", "%x2", "a%", "\x7f", "é", "a#", "a#0", "a#1", "a#-2", "a#x", "a#2x", "a#2#3", "#2", "a#99999999999999999999"}) {
    EXPECT_FALSE(parse_unique_id_text(text).has_value()) << text;
  }
}

TEST(UniqueId, EqualOctetsAreEqualAndNothingElse) {
  EXPECT_EQ(UniqueId{"a\0b"s}, UniqueId{"a\0b"s});
  EXPECT_NE(UniqueId{"a\0b"s}, UniqueId{"a\0c"s});
  EXPECT_NE(UniqueId{"a"}, UniqueId{"A"});
  EXPECT_EQ(std::hash<UniqueId>{}(UniqueId{"a\0b"s}), std::hash<UniqueId>{}(UniqueId{"a\0b"s}));
}

}  // namespace
}  // namespace popsync::pop3
