// SPDX-License-Identifier: MIT
#include "delivery/mbox_format.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/random.h"
#include "support/mbox_text.h"

namespace popsync::delivery {
namespace {

using namespace std::string_literals;

const WallTime kReceived = from_unix_seconds(1'700'000'000);  // 2023-11-14 22:13:20 UTC
constexpr std::string_view kFromLine = "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n";

std::string formatted(std::string_view message, std::size_t piece = std::string::npos) {
  MboxEntryFormatter formatter("0123456789abcdef_00112233aabb", kReceived);
  std::string out;
  for (std::size_t from = 0; from < message.size(); from += std::min(piece, message.size() - from))
    formatter.convert(message.substr(from, piece), out);
  formatter.finish(out);
  return out;
}

std::string from_line(std::string_view message) {
  const std::string entry = formatted(message);
  return entry.substr(0, entry.find('\n'));
}

std::string content(std::string_view message) {
  const std::string entry = formatted(message);
  return entry.substr(entry.find('\n', entry.find('\n') + 1) + 1);
}

std::vector<MboxEntry> scanned(std::string_view mbox, std::size_t piece = std::string::npos) {
  std::vector<MboxEntry> found;
  MboxScanner scanner([&](const MboxEntry& entry) { found.push_back(entry); });
  for (std::size_t from = 0; from < mbox.size(); from += std::min(piece, mbox.size() - from)) scanner.update(mbox.substr(from, piece));
  scanner.finish();
  return found;
}

std::string random_message(std::mt19937_64& random) {
  static const std::vector<std::string> parts = {
      "From ", "From", "F", ">", ">>", "\n", "\n", "\n\n", " ", "x", "\r", "\0"s, "X-Popsync-Id: 1\n", "Return-Path: <a@b>\n"};
  std::string message;
  for (std::size_t count = random() % 30; count > 0; --count) message += parts.at(random() % parts.size());
  return message;
}

TEST(MboxFormat, AnEntryIsFromLineMarkerMessageAndEmptyLine) {
  EXPECT_EQ(formatted("Subject: a\n\nb\n"), std::string(kFromLine) + "X-Popsync-Id: 0123456789abcdef_00112233aabb\nSubject: a\n\nb\n\n");
}

TEST(MboxFormat, AMessageWithoutNewlineAtItsEndGetsOne) {
  EXPECT_EQ(content("a\n\nb"), "a\n\nb\n\n");
  EXPECT_EQ(content(""), "\n");
  EXPECT_EQ(content("a\n\n>>"), "a\n\n>>\n\n");
  EXPECT_EQ(content("a\n\nFro"), "a\n\nFro\n\n");
}

TEST(MboxFormat, EveryLineThatCouldBeTakenForAFromLineIsQuoted) {
  EXPECT_EQ(content("a: b\n\nFrom me\n>From me\n>>>From me\n"), "a: b\n\n>From me\n>>From me\n>>>>From me\n\n");
  EXPECT_EQ(content("From the header\n\n"), ">From the header\n\n\n");
  EXPECT_EQ(content("\nFrom: a\nFromage\n From a\nfrom a\n> From a\n"), "\nFrom: a\nFromage\n From a\nfrom a\n> From a\n\n");
}

TEST(MboxFormat, TheSenderIsThatOfReturnPath) {
  EXPECT_EQ(from_line("Return-Path: <me@example.org>\n\n"), "From me@example.org Tue Nov 14 22:13:20 2023");
  EXPECT_EQ(from_line("A: b\nRETURN-PATH:<me@example.org>\nB: c\n\n"), "From me@example.org Tue Nov 14 22:13:20 2023");
  EXPECT_EQ(from_line("Return-Path: <me@example.org>"), "From me@example.org Tue Nov 14 22:13:20 2023");
}

TEST(MboxFormat, ASenderThatIsNotPlainIsMailerDaemon) {
  const std::string expected(kFromLine.substr(0, kFromLine.size() - 1));
  for (const std::string& value : {"<>"s, ""s, "me@example.org"s, "<a b@c>"s, "<a\tb@c>"s, "<a\033[2J@c>"s, "<a\rb>"s, "<\xc3\xa4@c>"s, ">a<"s,
                                   "<" + std::string(400, 'a') + ">"}) {
    EXPECT_EQ(from_line("Return-Path: " + value + "\n\n"), expected) << value;
  }
  EXPECT_EQ(from_line("A: b\n\nReturn-Path: <me@example.org>\n"), expected) << "in the body";
}

TEST(MboxFormat, AReturnPathBehindAVeryLongHeaderIsNotWaitedFor) {
  MboxEntryFormatter formatter("m", kReceived);
  std::string out;
  formatter.convert(std::string(kReturnPathWithin, 'a'), out);
  EXPECT_EQ(out.substr(0, kFromLine.size()), kFromLine);
  const std::string just_within = std::string(kReturnPathWithin - 23, 'a') + "\nReturn-Path: <me@b.c>\n\n";
  EXPECT_EQ(from_line(just_within), "From me@b.c Tue Nov 14 22:13:20 2023");
  EXPECT_EQ(from_line("a" + just_within) + "\n", kFromLine);
}

TEST(MboxFormat, ADayOfOneDigitIsPaddedAsAsctimeDoes) {
  MboxEntryFormatter formatter("m", from_unix_seconds(951'868'800));  // 2000-03-01 00:00:00 UTC
  std::string out;
  formatter.finish(out);
  EXPECT_EQ(out, "From MAILER-DAEMON Wed Mar  1 00:00:00 2000\nX-Popsync-Id: m\n\n");
}

TEST(MboxFormat, ALineOfALotOfQuoteSignsNeedsNoMemory) {
  const std::string line(1U << 20U, '>');
  EXPECT_EQ(content("a\n\n" + line + "From b\n"), "a\n\n>" + line + "From b\n\n");
}

TEST(MboxFormat, AnySplitGivesTheSameEntry) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const std::string message = random_message(random);
    const std::string whole = formatted(message);
    EXPECT_EQ(formatted(message, 1), whole);
    EXPECT_EQ(formatted(message, 1 + random() % 9), whole);
  }
}

TEST(MboxFormat, WhatIsQuotedComesBackWhenUnquoted) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string mbox;
    std::vector<std::string> messages;
    for (std::size_t count = 1 + random() % 4; count > 0; --count) {
      messages.push_back(random_message(random));
      mbox += formatted(messages.back());
    }
    const auto entries = test::entries_of(mbox);
    ASSERT_EQ(entries.size(), messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const bool ended = messages[i].empty() || messages[i].ends_with('\n');
      EXPECT_EQ(entries[i].message, messages[i] + (ended ? "" : "\n"));
      EXPECT_EQ(entries[i].marker, "0123456789abcdef_00112233aabb");
    }
  }
}

TEST(MboxScanner, FindsEachEntryWithItsPlaceMarkerAndPrint) {
  const std::string first = formatted("Subject: a\n\nbody\n\n\n");
  const std::string foreign = "From you Tue Nov 14 22:13:20 2023\nSubject: b\n\nX-Popsync-Id: not-in-the-header\n";
  const auto entries = scanned(first + foreign + formatted("no body\n"));
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].offset, 0U);
  EXPECT_EQ(entries[0].length, first.size());
  EXPECT_EQ(entries[0].marker, "0123456789abcdef_00112233aabb");
  EXPECT_EQ(entries[0].print, prints_of("X-Popsync-Id: 0123456789abcdef_00112233aabb\nSubject: a\n\nbody").fingerprint);
  EXPECT_EQ(entries[1].offset, first.size());
  EXPECT_EQ(entries[1].length, foreign.size());
  EXPECT_EQ(entries[1].marker, "");
  EXPECT_EQ(entries[2].print, prints_of("X-Popsync-Id: 0123456789abcdef_00112233aabb\nno body\n\n").fingerprint);
}

TEST(MboxScanner, KnowsAnEntryAgainBehindARewrittenHeader) {
  const auto before = scanned(formatted("Subject: a\n\nb\n\nc\n"));
  const auto after =
      scanned("From x Tue Nov 14 22:13:20 2023\nX-UID: 7\nX-Popsync-Id: 0123456789abcdef_00112233aabb\nSubject: a\nStatus: RO\n\nb\n\nc\n");
  ASSERT_EQ(before.size(), 1U);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].marker, before[0].marker);
  EXPECT_EQ(after[0].print, before[0].print);
}

TEST(MboxScanner, ATornEntryEndsWithTheFile) {
  const std::string whole = formatted("Subject: a\n\nbody\n");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto entries = scanned(whole.substr(0, size));
    ASSERT_EQ(entries.size(), size < 5 ? 0U : 1U) << size;
    for (const MboxEntry& entry : entries) EXPECT_EQ(entry.length, size);
  }
}

TEST(MboxScanner, AFileThatIsNoMboxHasNoEntries) { EXPECT_TRUE(scanned("Froom \n\nX-Popsync-Id: a\n\nfrom b\n").empty()); }

TEST(MboxScanner, AnySplitFindsTheSame) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const std::string mbox = random_message(random) + formatted(random_message(random)) + random_message(random);
    const auto whole = scanned(mbox);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2 + random() % 9}}) {
      const auto pieces = scanned(mbox, piece);
      ASSERT_EQ(pieces.size(), whole.size());
      for (std::size_t i = 0; i < whole.size(); ++i) {
        EXPECT_EQ(pieces[i].offset, whole[i].offset);
        EXPECT_EQ(pieces[i].length, whole[i].length);
        EXPECT_EQ(pieces[i].marker, whole[i].marker);
        EXPECT_EQ(pieces[i].print, whole[i].print);
      }
    }
  }
}

}  // namespace
}  // namespace popsync::delivery
