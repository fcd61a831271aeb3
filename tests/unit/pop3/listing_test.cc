// SPDX-License-Identifier: MIT
#include "pop3/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace popsync::pop3 {
namespace {

using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::IsEmpty;

using Size = std::optional<std::uint64_t>;

TEST(DropListing, TheCountCountsAndTheSizeIsAdvice) {
  struct Row {
    std::string_view text;
    std::optional<std::uint64_t> count;
    Size octets;
  };
  const std::vector<Row> table = {
      {"2 320", 2, 320},
      {"2 320 octets", 2, 320},
      {"0 0", 0, 0},
      // protocol.md 52
      {"7", 7, {}},
      {"7 #octets", 7, {}},
      {"7 -1", 7, {}},
      {"seven 1", {}, {}},
      {"-7 1", {}, {}},
      {"", {}, {}},
      {"7x 1", {}, {}},
      // protocol.md 53
      {"1000000 1", kMessagesMax, 1},
      {"1000001 1", {}, {}},
      {"4294967296 1", {}, {}},
      {"99999999999999999999999 1", {}, {}},
      {"1 18446744073709551615", 1, 18446744073709551615ULL},
      {"1 18446744073709551616", 1, {}},
  };
  for (const Row& row : table) {
    const auto parsed = parse_drop_listing(row.text);
    ASSERT_EQ(parsed.has_value(), row.count.has_value()) << row.text;
    if (!parsed) continue;
    EXPECT_EQ(parsed->count, *row.count) << row.text;
    EXPECT_EQ(parsed->octets, row.octets) << row.text;
  }
}

TEST(ScanLine, ANumberWithoutAUsableSizeIsStillAMessage) {
  struct Row {
    std::string_view line;
    std::optional<std::uint32_t> number;
    Size size;
  };
  const std::vector<Row> table = {
      {"1 120", 1, 120},
      {"1 120 octets", 1, 120},
      {"2 0", 2, 0},  // 56
      {"2 -1", 2, {}},
      // protocol.md 57
      {"7", 7, {}},
      {"7 ten-twenty-four", 7, {}},
      {"7 12.5", 7, {}},
      // 58
      {"0 120", {}, {}},
      {"-1 120", {}, {}},
      {"4294967295 1", 4294967295U, 1},
      {"4294967296 1", {}, {}},
      {"x 1", {}, {}},
      {"", {}, {}},
      {"   ", {}, {}},
      // 66, 67
      {"1   120", 1, 120},
      {"1\t120", 1, 120},
      {" 1 120", 1, 120},
      {"1 120 ", 1, 120},
      {"+OK 1 120", 1, 120},
      {"+OK", {}, {}},
  };
  for (const Row& row : table) {
    const auto parsed = parse_scan_line(row.line);
    ASSERT_EQ(parsed.has_value(), row.number.has_value()) << row.line;
    if (!parsed) continue;
    EXPECT_EQ(parsed->number.value, *row.number) << row.line;
    EXPECT_EQ(parsed->size, row.size) << row.line;
  }
}

TEST(UniqueIdLine, AUniqueIdIsAnyOctetsWithoutTheBlanksAroundThem) {
  struct Row {
    std::string_view line;
    std::optional<std::uint32_t> number;
    std::string_view uid;
  };
  const std::string long_line = "1 " + std::string(kUniqueIdOctetsMax, 'u');
  const std::string over_line = long_line + "u";
  const std::vector<Row> table = {
      {"1 whqtswO00WBw418f9t5JxYwZ", 1, "whqtswO00WBw418f9t5JxYwZ"},
      // protocol.md 58
      {"0 a", {}, {}},
      {"-1 a", {}, {}},
      {"4294967296 a", {}, {}},
      {"one a", {}, {}},
      // 59: never ""
      {"3", {}, {}},
      {"3 ", {}, {}},
      {"3    ", {}, {}},
      {"", {}, {}},
      // 64
      {long_line, 1, std::string_view(long_line).substr(2)},
      {over_line, {}, {}},
      // 65
      {"1 a b  c", 1, "a b  c"},
      {"1 <x@y>/../'\"", 1, "<x@y>/../'\""},
      {"1 \x1b\0\xff"sv, 1, "\x1b\0\xff"sv},
      {"1 \r", {}, {}},
      // 66
      {"1   uid", 1, "uid"},
      {"1\tuid", 1, "uid"},
      {"1 \t uid", 1, "uid"},
      {"1 uid ", 1, "uid"},
      {"1 uid  \r", 1, "uid"},
      {"1 uid\t", 1, "uid\t"},  // only blanks and CR are dropped, for ever
      {" 1 uid", 1, "uid"},
      // 67, and 68: UIDL n answered without its number
      {"+OK 1 uid", 1, "uid"},
      {"+OK uid", {}, {}},
      {"uid", {}, {}},
      {"1 +OK", 1, "+OK"},
  };
  for (const Row& row : table) {
    const auto parsed = parse_unique_id_line(row.line);
    ASSERT_EQ(parsed.has_value(), row.number.has_value()) << row.line;
    if (!parsed) continue;
    EXPECT_EQ(parsed->number.value, *row.number) << row.line;
    EXPECT_EQ(parsed->uid.octets, row.uid) << row.line;
  }
}

std::vector<ListingEntry> listing_of(const std::vector<std::string>& uidl, const std::vector<std::string>& list, bool with_unique_ids = true) {
  ListingBuilder builder;
  for (const std::string& line : uidl) builder.add_unique_id_line(line);
  for (const std::string& line : list) builder.add_scan_line(line);
  return builder.finish(with_unique_ids);
}

ListingEntry entry(std::uint32_t number, std::string uid, Size size) {
  return {.number = MessageNumber{number}, .uid = UniqueId{std::move(uid)}, .list_size = size};
}

TEST(Listing, JoinsUniqueIdsAndSizesByNumber) {
  EXPECT_THAT(listing_of({"1 a", "2 b"}, {"1 10", "2 20"}), ElementsAre(entry(1, "a", 10), entry(2, "b", 20)));
  EXPECT_THAT(listing_of({}, {}), IsEmpty());
}

// protocol.md 60
TEST(Listing, GapsAndAnyOrderAreFine) {
  EXPECT_THAT(listing_of({"4 d", "1 a", "2 b"}, {"2 20", "4 40", "1 10"}), ElementsAre(entry(1, "a", 10), entry(2, "b", 20), entry(4, "d", 40)));
}

// protocol.md 55
TEST(Listing, UniqueIdsDecideWhichMessagesThereAre) {
  EXPECT_THAT(listing_of({"1 a", "3 c"}, {"2 20", "3 30", "9 90"}), ElementsAre(entry(1, "a", {}), entry(3, "c", 30)));
}

TEST(Listing, WithoutUniqueIdsTheScanListingDecides) {
  EXPECT_THAT(listing_of({}, {"2 20", "1 ten"}, false), ElementsAre(entry(1, "", {}), entry(2, "", 20)));
}

// protocol.md 55: also where LIST ends early or is empty
TEST(Listing, AMessageThatTheScanListingLeavesOutHasNoSize) {
  EXPECT_THAT(listing_of({"1 a", "2 b", "3 c"}, {"1 10", "3 30"}), ElementsAre(entry(1, "a", 10), entry(2, "b", std::nullopt), entry(3, "c", 30)));
  EXPECT_THAT(listing_of({"1 a", "2 b"}, {"1 10"}), ElementsAre(entry(1, "a", 10), entry(2, "b", std::nullopt)));
  EXPECT_THAT(listing_of({"1 a"}, {}), ElementsAre(entry(1, "a", std::nullopt)));
}

// protocol.md 61
TEST(Listing, OneUniqueIdTwiceIsTwoMessages) {
  EXPECT_THAT(listing_of({"1 a", "2 a"}, {"1 10", "2 20"}), ElementsAre(entry(1, "a", 10), entry(2, "a", 20)));
}

TEST(Listing, UnusableLinesAreLeftOutAndCounted) {
  ListingBuilder builder;
  for (const char* line : {"1 a", "2", "0 x", "three c"}) builder.add_unique_id_line(line);
  for (const char* line : {"1 10", "-2 3"}) builder.add_scan_line(line);
  EXPECT_EQ(builder.unusable_lines(), 4U);
  EXPECT_THAT(builder.finish(true), ElementsAre(entry(1, "a", 10)));
}

// protocol.md 60
TEST(Listing, OneNumberTwiceMakesTheSessionUntrustworthy) {
  for (const bool in_uidl : {true, false}) {
    try {
      (void)listing_of(in_uidl ? std::vector<std::string>{"1 a", "2 b", "1 c"} : std::vector<std::string>{"1 a"},
                       in_uidl ? std::vector<std::string>{} : std::vector<std::string>{"1 10", "1 10"});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_pop3);
      EXPECT_THAT(error.message(), testing::HasSubstr("message 1 twice"));
    }
  }
}

// protocol.md 73
TEST(Listing, HasALimitOfMessages) {
  ListingBuilder builder;
  for (std::size_t i = 1; i <= kMessagesMax; ++i) builder.add_scan_line(std::to_string(i) + " 1");
  EXPECT_THROW(builder.add_scan_line("1000001 1"), Error);
}

// Each within its own limit, and too much together.
TEST(Listing, HasALimitOfOctetsOfAllUniqueIds) {
  static_assert(kListingUniqueIdOctetsMax % kUniqueIdOctetsMax != 0);
  const auto line = [](std::size_t number, std::size_t octets) { return std::to_string(number) + " " + std::string(octets, 'u'); };
  ListingBuilder builder;
  const std::size_t full = kListingUniqueIdOctetsMax / kUniqueIdOctetsMax;
  for (std::size_t i = 1; i <= full; ++i) builder.add_unique_id_line(line(i, kUniqueIdOctetsMax));
  builder.add_unique_id_line(line(full + 1, kListingUniqueIdOctetsMax % kUniqueIdOctetsMax));
  builder.add_unique_id_line("x");  // kept of it is nothing
  try {
    builder.add_unique_id_line(line(full + 2, 1));
    ADD_FAILURE() << "one octet too much was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_pop3);
  }
}

TEST(Listing, UnusableLinesCountTowardsTheLimit) {
  ListingBuilder builder;
  for (std::size_t i = 1; i <= kMessagesMax; ++i) builder.add_unique_id_line("x");
  EXPECT_THROW(builder.add_unique_id_line("x"), Error);
}

}  // namespace
}  // namespace popsync::pop3
