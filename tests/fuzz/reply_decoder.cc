// SPDX-License-Identifier: MIT
// The octets of a server mean the same however they are cut into segments (RFC 1939 knows lines, TCP does not).
// Input: segment sizes, then the stream. Behind a line that begins with + a body follows.
#include "pop3/reply_decoder.h"

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "fuzz/harness.h"

namespace popsync::fuzz {
namespace {

// What a stream was read as.
struct Reading {
  std::vector<std::string> events;  // lines and bodies
  std::string body;                 // not complete
  bool in_body = false;
  bool in_line = false;
  bool refused = false;  // a line over the limit
  bool operator==(const Reading&) const = default;
};

void read_segment(pop3::ReplyDecoder& decoder, std::string_view input, Reading& reading) {
  while (!input.empty()) {
    const std::size_t before = input.size();
    if (!reading.in_body) {
      const auto line = decoder.take_line(input);
      claim(line || input.empty(), "a line that goes on leaves no input");
      if (!line) continue;
      claim(line->size() <= pop3::kControlLineOctetsMax && line->find('\n') == std::string_view::npos, "a line is one line, within the limit");
      reading.events.push_back("line " + std::string(*line));
      reading.in_body = line->starts_with('+');
      if (reading.in_body) decoder.start_body();
    } else {
      const pop3::ReplyDecoder::BodyPart part = decoder.take_body(input);
      claim(!part.complete || part.octets.empty(), "the end of a body carries no octets");
      reading.body += part.octets;
      if (!part.complete) {
        claim(!part.octets.empty() || input.empty(), "a body that goes on leaves no input");
        continue;
      }
      reading.events.push_back("body " + std::exchange(reading.body, {}));
      reading.in_body = false;
    }
    claim(input.size() < before, "each step takes something");
  }
}

Reading read(std::string_view stream, const std::vector<std::size_t>& sizes) {
  Reading reading;
  pop3::ReplyDecoder decoder;
  try {
    for_each_segment(stream, sizes, [&](std::string_view segment) { read_segment(decoder, segment, reading); });
  } catch (const Error& error) {
    claim(error.code() == ErrorCode::not_pop3, "the only Error is that of a line over the limit");
    reading.refused = true;
  }
  reading.in_line = !reading.refused && !reading.in_body && decoder.in_line();
  return reading;
}

}  // namespace

void reply_decoder(std::string_view octets) {
  Input input(octets);
  const std::vector<std::size_t> sizes = take_segment_sizes(input);
  const std::string_view stream = input.rest();
  const Reading whole = read(stream, {});
  claim(read(stream, sizes) == whole, "segments make no difference");
  claim(read(stream, {1}) == whole, "single octets make no difference");
  std::size_t given = whole.body.size();
  for (const std::string& event : whole.events) given += event.size() - 5;
  claim(given <= stream.size(), "nothing is made up");
}

}  // namespace popsync::fuzz
