// SPDX-License-Identifier: MIT
#include "base/escape.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace popsync {
namespace {

using namespace std::string_view_literals;

struct Case {
  std::string_view foreign;
  std::string_view shown;
};

void expect_all(const std::vector<Case>& table) {
  for (const Case& each : table) EXPECT_EQ(escaped(each.foreign), each.shown);
}

TEST(Escape, PrintableTextStaysAsItIs) {
  expect_all({{"", ""},
              {"+OK <1896.697170952@dbc.mtview.ca.us> ready \"now\" 'then' ~", "+OK <1896.697170952@dbc.mtview.ca.us> ready \"now\" 'then' ~"},
              {"Größe 大きさ 😀", "Größe 大きさ 😀"},
              {"\u00a0\U0010fffd", "\u00a0\U0010fffd"}});
}

TEST(Escape, ABackslashIsDoubledSoThatEscapesCannotBeForged) { expect_all({{"\\", "\\\\"}, {"\\x1b", "\\\\x1b"}}); }

TEST(Escape, ControlCharactersBecomeHexadecimal) {
  expect_all({
      // C0 and DEL
      {"\0"sv, "\\x00"},
      {"a\tb\r\nc", "a\\x09b\\x0d\\x0ac"},
      {"\x1b[2J", "\\x1b[2J"},
      {"\x1f\x7f", "\\x1f\\x7f"},
      // C1, one \x for each octet of its UTF-8 form: 0x9b alone is a terminal's CSI
      {"\u0080", "\\xc2\\x80"},
      {"\u009b31m", "\\xc2\\x9b31m"},
      {"\u009f", "\\xc2\\x9f"},
  });
}

TEST(Escape, LineSeparatorsAndBidirectionalControlsCannotReorderALogLine) {
  for (const std::string_view control : {"\u2028"sv, "\u2029"sv, "\u200e"sv, "\u200f"sv, "\u061c"sv, "\u202a"sv, "\u202b"sv, "\u202c"sv, "\u202d"sv,
                                         "\u202e"sv, "\u2066"sv, "\u2067"sv, "\u2068"sv, "\u2069"sv, "\ufeff"sv}) {
    std::string expected;
    for (const char c : control) expected += "\\x" + to_hex(std::string(1, c));
    EXPECT_EQ(escaped(control), expected);
  }
}

TEST(Escape, OctetsThatAreNotUtf8BecomeHexadecimalOneByOne) {
  expect_all({
      {"\x80", "\\x80"},                             // a continuation without a start
      {"\xff\xfe", "\\xff\\xfe"},                    // never in UTF-8
      {"\xc3", "\\xc3"},                             // cut short
      {"\xc3(", "\\xc3("},                           // not continued
      {"\xe2\x82", "\\xe2\\x82"},                    // cut short
      {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},           // cut short
      {"\xe9t\xe9", "\\xe9t\\xe9"},                  // Latin-1
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // over U+10FFFF
      {"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
  });
}

TEST(Escape, OverlongFormsAreNoCharacters) {
  expect_all({{"\xc0\xaf", "\\xc0\\xaf"},                      // "/"
              {"\xc1\xbf", "\\xc1\\xbf"},                      // U+007F
              {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},             // a line feed
              {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},             // U+07FF
              {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"}});  // U+FFFF
}

TEST(Escape, WhatIsOverTheLimitIsCutAndMarked) {
  EXPECT_EQ(escaped("abcdef", 6), "abcdef");
  EXPECT_EQ(escaped("abcdefg", 6), "abcdef…");
  EXPECT_EQ(escaped(std::string(kEscapedOctetsMax, 'x')), std::string(kEscapedOctetsMax, 'x'));
  EXPECT_EQ(escaped(std::string(kEscapedOctetsMax + 1, 'x')), std::string(kEscapedOctetsMax, 'x') + "…");
}

TEST(Escape, ACutThroughACharacterLeavesNoHalfOfIt) { EXPECT_EQ(escaped("aé", 2), "a\\xc3…"); }

TEST(Escape, NoOctetsWhateverMakeAControlCharacterOrInvalidUtf8) {
  for (int round = 0; round < 200; ++round) {
    const std::string shown = escaped(random_octets(200));
    for (const char c : shown) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
    // What is shown is text already: only backslashes change when it is escaped once more.
    std::string doubled;
    for (const char c : shown) doubled += c == '\\' ? "\\\\" : std::string(1, c);
    EXPECT_EQ(escaped(shown, shown.size()), doubled);
  }
}

}  // namespace
}  // namespace popsync
