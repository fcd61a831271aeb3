// SPDX-License-Identifier: MIT
#include "sync/adoption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "delivery/message_prints.h"

namespace popsync::sync {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

using Pair = std::tuple<std::size_t, std::size_t, bool>;

// A size with CRLF line ends; the files here have ten lines.
constexpr std::uint64_t kLines = 10;

struct Adopt : testing::Test {
  void list(const std::string& hash, std::optional<std::uint64_t> size, bool message_id = true) {
    headers.push_back({.entry = {.number = pop3::MessageNumber{static_cast<std::uint32_t>(headers.size() + 1)}, .uid = {}, .list_size = size},
                       .header_hash = hash,
                       .has_message_id = message_id});
  }
  void file(const std::string& hash, std::uint64_t wire_octets, bool message_id = true) {
    files.push_back({.header_hash = hash, .has_message_id = message_id, .wire_octets = wire_octets, .stored_size = wire_octets - kLines});
  }
  std::vector<Pair> pairs() {
    std::vector<Pair> out;
    for (const Adopted& each : pair_with_files(headers, files)) out.emplace_back(each.header, each.file, each.removable);
    return out;
  }

  std::vector<ListedHeader> headers;
  std::vector<FileHeader> files;
};

TEST_F(Adopt, EqualHeaderWithMessageIdAndExactSizeIsBeyondDoubt) {
  list("a", 100);
  list("b", 100);
  file("b", 100);
  file("other", 100);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{1, 0, true}));
}

TEST_F(Adopt, SizeAsSomeServersCountItIsADoubt) {
  list("a", 90);
  file("a", 100);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{0, 0, false}));
}

TEST_F(Adopt, AnotherSizeOrNoneIsADoubt) {
  list("a", 100);
  list("b", std::nullopt);
  file("a", 130);
  file("b", 100);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{0, 0, false}, Pair{1, 1, false}));
}

TEST_F(Adopt, WithoutMessageIdTheSizeHasToAgreeAndDoubtRemains) {
  list("a", 100, false);
  list("b", 100, false);
  file("a", 100, false);
  file("b", 130, false);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{0, 0, false}));
}

TEST_F(Adopt, OneFileIsOneMessage) {
  list("a", 100);
  list("a", 100);
  list("a", 100);
  file("a", 100);
  file("a", 100);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{0, 0, false}, Pair{1, 1, false}));  // the third may be what a file holds
  file("a", 100);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{0, 0, true}, Pair{1, 1, true}, Pair{2, 2, true}));
  file("a", 100);
  EXPECT_EQ(pairs().size(), 3U);
}

TEST_F(Adopt, ExactSizesFindEachOtherFirst) {
  list("a", 120);
  list("a", 100);
  file("a", 100);
  file("a", 150);
  EXPECT_THAT(pairs(), UnorderedElementsAre(Pair{1, 0, true}, Pair{0, 1, false}));
}

TEST_F(Adopt, MoreMessagesThanFilesWithoutASizeToTellIsFetched) {
  list("a", 100);
  list("a", 120);
  file("a", 150);
  EXPECT_THAT(pairs(), IsEmpty());
}

TEST_F(Adopt, TwinsWithoutMessageIdAreFetchedIfOneIsMissing) {
  list("a", 100, false);
  list("a", 100, false);
  file("a", 100, false);
  EXPECT_THAT(pairs(), IsEmpty());
  file("a", 100, false);
  EXPECT_EQ(pairs().size(), 2U);
}

TEST_F(Adopt, HeaderThatWasNotGivenOrSaysNothingMatchesNothing) {
  const std::string nothing = delivery::prints_of("X-Other: field\n\n").header_hash;
  list("", 100, false);
  list(nothing, 100, false);
  file("", 100, false);
  file(nothing, 100, false);
  EXPECT_THAT(pairs(), IsEmpty());
}

TEST_F(Adopt, NothingWithNothing) {
  EXPECT_THAT(pairs(), IsEmpty());
  list("a", 100);
  EXPECT_THAT(pairs(), IsEmpty());
}

}  // namespace
}  // namespace popsync::sync
