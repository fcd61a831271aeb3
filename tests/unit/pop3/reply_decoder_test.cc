// SPDX-License-Identifier: MIT
#include "pop3/reply_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace popsync::pop3 {
namespace {

using namespace std::string_literals;

// What a server sends behind a status line, and what of it is the message.
struct Body {
  std::string name;
  std::string status;
  std::string wire;
  std::string octets;
  bool complete = true;
  std::string rest = {};  // left for the next reply
};

const std::vector<Body>& corpus() {
  static const std::vector<Body> bodies = {
      // protocol.md 75: byte-stuffing
      {"stuffed dots", "+OK\r\n", "..\r\n..a\r\n...b\r\nc.d\r\n.\r\n", ".\r\n.a\r\n..b\r\nc.d\r\n"},
      {"an unstuffed dot in front of text", "+OK\r\n", ".a\r\n.\r\n", "a\r\n"},
      // 76: the LF of the end never comes
      {"end without LF", "+OK\r\n", "a\r\n.\r", "a\r\n", false},
      {"end without CRLF", "+OK\r\n", "a\r\n.", "a\r\n", false},
      {"dot glued to the text (81)", "+OK\r\n", "a.\r\n", "a.\r\n", false},
      // 77
      {"dot, CR and text", "+OK\r\n", "a\r\n.\rX\r\n.\r\n", "a\r\n\rX\r\n"},
      {"dot, CR, CR, LF", "+OK\r\n", "a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n"},
      // 78: a bare LF ends no line of a server that uses CRLF
      {"LF dot LF", "+OK\r\n", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"},
      {"LF dot CRLF", "+OK\r\n", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},
      {"CRLF dot LF", "+OK\r\n", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"},
      {"LF, stuffed dot", "+OK\r\n", "a\n..b\r\n.\r\n", "a\n..b\r\n"},
      // 79: LF everywhere
      {"LF server", "+OK\n", "a\n..b\n.\n", "a\n.b\n"},
      {"LF server, empty message", "+OK\n", ".\n", ""},
      {"LF server, CRLF in the message", "+OK\n", "a\r\nb\r\n.\r\n", "a\r\nb\r\n"},
      {"LF server, dot inside", "+OK\n", "a\nb.\n.\n", "a\nb.\n"},
      // 80: no stuffing, the rest is read as replies; the marker finds it
      {"line with a lone dot", "+OK\r\n", "a\r\n.\r\nb\r\n.\r\n", "a\r\n", true, "b\r\n.\r\n"},
      // 86
      {"lone CR", "+OK\r\n", "a\rb\r\n.\r\n", "a\rb\r\n"},
      {"CR CR LF", "+OK\r\n", "a\r\r\nb\r\n.\r\n", "a\r\r\nb\r\n"},
      {"CR dot CRLF", "+OK\r\n", "a\r.\r\n.\r\n", "a\r.\r\n"},
      {"CRs only", "+OK\r\n", "\r\r\r\n.\r\n", "\r\r\r\n"},
      // 87
      {"NUL, 8-bit, escape", "+OK\r\n", "\0a\xff\xfe\x1b[2J\x80\r\n.\r\n"s, "\0a\xff\xfe\x1b[2J\x80\r\n"s},
      // 89
      {"empty message", "+OK\r\n", ".\r\n", ""},
      {"headers only", "+OK\r\n", "Subject: x\r\n.\r\n", "Subject: x\r\n"},
      {"blank line only", "+OK\r\n", "\r\n.\r\n", "\r\n"},
      {"no blank line, no colon", "+OK\r\n", "hello\r\n.\r\n", "hello\r\n"},
      // the next reply in the same segment (112)
      {"another reply behind", "+OK\r\n", "a\r\n.\r\n+OK\r\n.\r\n", "a\r\n", true, "+OK\r\n.\r\n"},
  };
  return bodies;
}

struct Decoded {
  std::string octets;
  bool complete = false;
  std::string rest;
};

// Feeds `stream` (a status line and a body) in segments of these sizes, the remainder in one.
Decoded decode(const std::string& stream, const std::vector<std::size_t>& sizes) {
  ReplyDecoder decoder;
  Decoded out;
  bool status_seen = false;
  std::string_view left = stream;
  std::size_t next = 0;
  while (!left.empty()) {
    const std::size_t size = next < sizes.size() ? std::min(sizes[next++], left.size()) : left.size();
    const std::string segment(left.substr(0, size));  // a buffer of its own, gone after the segment
    left.remove_prefix(size);
    std::string_view input = segment;
    while (!input.empty()) {
      if (!status_seen) {
        status_seen = decoder.take_line(input).has_value();
        if (status_seen) decoder.start_body();
      } else if (out.complete) {
        out.rest += input;
        input = {};
      } else {
        const ReplyDecoder::BodyPart part = decoder.take_body(input);
        out.octets += part.octets;
        out.complete = part.complete;
      }
    }
  }
  return out;
}

void expect_decoded(const Body& body, const std::vector<std::size_t>& sizes) {
  const Decoded out = decode(body.status + body.wire, sizes);
  EXPECT_EQ(out.octets, body.octets) << body.name;
  EXPECT_EQ(out.complete, body.complete) << body.name;
  EXPECT_EQ(out.rest, body.rest) << body.name;
}

TEST(ReplyDecoderBody, InOneSegment) {
  for (const Body& body : corpus()) expect_decoded(body, {});
}

TEST(ReplyDecoderBody, OneOctetAtATime) {
  for (const Body& body : corpus()) expect_decoded(body, std::vector<std::size_t>(body.status.size() + body.wire.size(), 1));
}

TEST(ReplyDecoderBody, SplitInTwoAnywhere) {
  for (const Body& body : corpus()) {
    for (std::size_t cut = 1; cut < body.status.size() + body.wire.size(); ++cut) expect_decoded(body, {cut});
  }
}

TEST(ReplyDecoderBody, SplitAnyhow) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    for (const Body& body : corpus()) {
      std::vector<std::size_t> sizes;
      for (std::size_t sum = 0; sum < body.status.size() + body.wire.size(); sum += sizes.back()) sizes.push_back(1 + random() % 6);
      expect_decoded(body, sizes);
    }
  }
}

// What a correct server makes of a message: lines of CRLF, stuffed.
std::string stuffed(const std::string& message) {
  std::string out;
  bool line_start = true;
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (line_start && message[i] == '.') out += '.';
    out += message[i];
    line_start = message[i] == '\n' && i > 0 && message[i - 1] == '\r';
  }
  return out + ".\r\n";
}

TEST(ReplyDecoderBody, AnyMessageOfACorrectServerComesBackOctetForOctet) {
  const std::uint64_t seed = random_u64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string alphabet = "\r\n.a\0"s;
  for (int round = 0; round < 3000; ++round) {
    std::string message;
    for (std::size_t size = random() % 30; size > 0; --size) message += alphabet[random() % alphabet.size()];
    message += "\r\n";
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < 80; ++i) sizes.push_back(1 + random() % 7);
    expect_decoded({"random", "+OK\r\n", stuffed(message), message}, sizes);
  }
}

// protocol.md 85: no line buffer for bodies.
TEST(ReplyDecoderBody, ALineOfManyMegabytesPassesThrough) {
  const std::string line(5'000'000, 'x');
  const std::vector<std::size_t> sizes(200, 65'536);
  expect_decoded({"long line", "+OK\r\n", line + "\r\n.\r\n", line + "\r\n"}, sizes);
}

TEST(ReplyDecoderBody, PartsAreViewsIntoTheCallersBuffer) {
  ReplyDecoder decoder;
  std::string_view status = "+OK\r\n";
  decoder.take_line(status);
  decoder.start_body();
  const std::string segment = "one line\r\nanother\r\n";
  std::string_view input = segment;
  EXPECT_EQ(decoder.take_body(input).octets.data(), segment.data());
}

TEST(ReplyDecoderLine, LinesAreTheSameInAnySegmentation) {
  const std::string stream = "+OK\r\n\r\n-ERR no\n.\r\nlast \r\n";
  const std::vector<std::string> expected = {"+OK", "", "-ERR no", ".", "last "};
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    ReplyDecoder decoder;
    std::vector<std::string> lines;
    for (std::size_t from = 0; from < stream.size(); from += size) {
      const std::string segment = stream.substr(from, size);
      std::string_view input = segment;
      while (!input.empty()) {
        if (const auto line = decoder.take_line(input)) lines.emplace_back(*line);
      }
    }
    EXPECT_EQ(lines, expected) << "segments of " << size;
  }
}

TEST(ReplyDecoderLine, OnlyOneCrBelongsToTheLineEnd) {
  ReplyDecoder decoder;
  std::string_view input = "a\r\r\n";
  EXPECT_EQ(decoder.take_line(input), "a\r");
}

TEST(ReplyDecoderLine, AnUnfinishedLineIsKnownToBeOne) {
  ReplyDecoder decoder;
  std::string_view input = "+OK";
  EXPECT_FALSE(decoder.in_line());
  EXPECT_EQ(decoder.take_line(input), std::nullopt);
  EXPECT_TRUE(decoder.in_line());
}

// protocol.md 7: a line without end must not fill memory.
TEST(ReplyDecoderLine, ALineUpToTheLimitIsTakenAndOneOverItIsNot) {
  const std::string at_limit(kControlLineOctetsMax, 'x');
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, at_limit.size() + 2}) {
    for (const std::string& line : {at_limit + "\n", at_limit.substr(1) + "\r\n", at_limit + "x\n", at_limit + "\r\n", at_limit + "x"}) {
      const bool fits = line.size() == kControlLineOctetsMax + 1 && line.ends_with('\n');
      ReplyDecoder decoder;
      const auto feed = [&] {
        for (std::size_t from = 0; from < line.size(); from += size) {
          const std::string segment = line.substr(from, size);
          std::string_view input = segment;
          if (const auto taken = decoder.take_line(input)) return taken->size();
        }
        return std::size_t{0};
      };
      if (fits) {
        EXPECT_GE(feed(), kControlLineOctetsMax - 1);
        continue;
      }
      try {
        feed();
        ADD_FAILURE() << "a line over the limit was taken, segments of " << size;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::not_pop3);
      }
    }
  }
}

}  // namespace
}  // namespace popsync::pop3
