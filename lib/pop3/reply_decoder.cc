// SPDX-License-Identifier: MIT
#include "pop3/reply_decoder.h"

#include "base/error.h"

namespace popsync::pop3 {
namespace {

std::string_view without_cr(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::optional<std::string_view> ReplyDecoder::take_line(std::string_view& input) {
  if (line_taken_) {
    line_.clear();
    line_taken_ = false;
  }
  const auto end = input.find('\n');
  const std::size_t size = line_.size() + (end == std::string_view::npos ? input.size() : end);
  if (size > kControlLineOctetsMax) {
    throw Error(ErrorCode::not_pop3, "the server sent a reply line of more than " + std::to_string(kControlLineOctetsMax) + " octets",
                "is this a POP3 server?");
  }
  if (end == std::string_view::npos) {
    line_ += input;
    input = {};
    return std::nullopt;
  }
  std::string_view line = input.substr(0, end);
  input.remove_prefix(end + 1);
  if (!line_.empty()) {
    line_ += line;
    line_taken_ = true;
    line = line_;
  }
  bare_lf_ = !line.ends_with('\r');
  return without_cr(line);
}

void ReplyDecoder::start_body() {
  place_ = Place::line_start;
  after_cr_ = false;
}

ReplyDecoder::BodyPart ReplyDecoder::take_body(std::string_view& input) {
  while (!input.empty()) {
    const char next = input.front();
    switch (place_) {
      case Place::line_start:
        if (next != '.') {
          place_ = Place::text;
          after_cr_ = false;
          break;
        }
        input.remove_prefix(1);
        place_ = Place::dot;
        break;
      case Place::dot:
        if (next == '\r') {
          input.remove_prefix(1);
          place_ = Place::dot_cr;
          break;
        }
        if (next == '\n' && bare_lf_) {
          input.remove_prefix(1);
          return {.octets = {}, .complete = true};
        }
        // The dot was stuffing (RFC 1939 section 3) and is dropped.
        place_ = Place::text;
        after_cr_ = false;
        break;
      case Place::dot_cr:
        if (next == '\n') {
          input.remove_prefix(1);
          return {.octets = {}, .complete = true};
        }
        place_ = Place::text;
        after_cr_ = true;
        return {.octets = "\r", .complete = false};
      case Place::text: return take_text(input);
    }
  }
  return {};
}

// Everything up to the next line that begins with a dot, or up to the end of the input.
ReplyDecoder::BodyPart ReplyDecoder::take_text(std::string_view& input) {
  std::size_t from = 0;
  for (;;) {
    const auto feed = input.find('\n', from);
    if (feed == std::string_view::npos) {
      const BodyPart part{.octets = input, .complete = false};
      after_cr_ = input.ends_with('\r');
      input = {};
      return part;
    }
    const bool line_ends = bare_lf_ || (feed > 0 ? input[feed - 1] == '\r' : after_cr_);
    from = feed + 1;
    if (line_ends && (from == input.size() || input[from] == '.')) {
      const BodyPart part{.octets = input.substr(0, from), .complete = false};
      input.remove_prefix(from);
      place_ = Place::line_start;
      return part;
    }
  }
}

}  // namespace popsync::pop3
