// SPDX-License-Identifier: MIT
#include "delivery/line_ending.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace popsync::delivery {
namespace {

using namespace std::string_literals;

std::string converted(const std::string& wire, const std::vector<std::size_t>& sizes = {}) {
  CrlfToLf converter;
  std::string out;
  std::size_t from = 0;
  for (const std::size_t size : sizes) {
    converter.convert(std::string_view(wire).substr(std::min(from, wire.size()), size), out);
    from += size;
  }
  if (from < wire.size()) converter.convert(std::string_view(wire).substr(from), out);
  converter.finish(out);
  return out;
}

// The definition, octet by octet.
std::string expected_of(const std::string& wire) {
  std::string out;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (wire[i] != '\r' || i + 1 == wire.size() || wire[i + 1] != '\n') out += wire[i];
  }
  return out;
}

// protocol.md 86, 87
const std::vector<std::pair<std::string, std::string>>& table() {
  static const std::vector<std::pair<std::string, std::string>> rows = {
      {"", ""},
      {"a\r\nb\r\n", "a\nb\n"},
      {"\r\n\r\n", "\n\n"},
      {"a\nb", "a\nb"},  // a bare LF stays
      {"a\rb", "a\rb"},  // a lone CR stays
      {"a\r", "a\r"},    // also at the end
      {"a\r\n\r", "a\n\r"},
      {"a\r\r\nb", "a\r\nb"},  // CRCRLF loses one CR only
      {"\r\r\r\n\n", "\r\r\n\n"},
      {"\n\r", "\n\r"},
      {"\0\r\n\xff\x1b"s, "\0\n\xff\x1b"s},
  };
  return rows;
}

TEST(LineEnding, CrlfBecomesLfAndNothingElseChanges) {
  for (const auto& [wire, stored] : table()) {
    EXPECT_EQ(converted(wire), stored);
    EXPECT_EQ(expected_of(wire), stored);
  }
}

TEST(LineEnding, OneOctetAtATimeGivesTheSame) {
  for (const auto& [wire, stored] : table()) EXPECT_EQ(converted(wire, std::vector<std::size_t>(wire.size(), 1)), stored);
}

TEST(LineEnding, AnySegmentationOfAnyOctetsGivesTheSame) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string alphabet = "\r\n\ra\0"s;
  for (int round = 0; round < 5000; ++round) {
    std::string wire;
    for (std::size_t size = random() % 40; size > 0; --size) wire += alphabet[random() % alphabet.size()];
    std::vector<std::size_t> sizes;
    for (int i = 0; i < 20; ++i) sizes.push_back(random() % 5);  // empty segments too
    EXPECT_EQ(converted(wire, sizes), expected_of(wire));
  }
}

TEST(LineEnding, ACrAtTheEndOfASegmentWaitsForTheNextOctet) {
  CrlfToLf converter;
  std::string out;
  converter.convert("a\r", out);
  EXPECT_EQ(out, "a");
  converter.convert("", out);
  EXPECT_EQ(out, "a");
  converter.convert("\n", out);
  EXPECT_EQ(out, "a\n");
  converter.finish(out);
  EXPECT_EQ(out, "a\n");
}

}  // namespace
}  // namespace popsync::delivery
