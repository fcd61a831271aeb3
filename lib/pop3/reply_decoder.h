// SPDX-License-Identifier: MIT
// Splits the octets of a server into control lines and message bodies, whatever the segmentation. It keeps at most one partial control line;
// bodies pass through as views into the caller's buffer, so memory does not depend on a message's size or on the length of its lines.
//
// A body ends at CRLF "." CRLF (RFC 1939 section 3) and nowhere else: not at ".\rX" (a client that did not look at the LF cut mail short there),
// not at a bare LF. Only where the status line itself ended in a bare LF, LF "." LF ends the body too.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace popsync::pop3 {

constexpr std::size_t kControlLineOctetsMax =
    8192;  // RFC 2449 allows 512; UIDL lines of old servers run longer; a line without end must not fill memory

class ReplyDecoder {
 public:
  // Takes one line from the front of `input` and returns it without its line end; valid until the next call. Empty: `input` was used up and the line
  // goes on. Throws Error not_pop3 if the line is over the limit.
  std::optional<std::string_view> take_line(std::string_view& input);

  struct BodyPart {
    std::string_view octets;  // unstuffed, line ends as sent; valid until the next call or until the input goes
    bool complete = false;    // the termination octet and its line end were seen; `octets` is empty then
  };
  // Call before the first octet of a body.
  void start_body();
  // Takes the next part from the front of `input`. Empty octets and not complete: `input` was used up.
  BodyPart take_body(std::string_view& input);

  // True between the octets of a line: an end of the stream here cuts something.
  [[nodiscard]] bool in_line() const { return !line_.empty() && !line_taken_; }

 private:
  enum class Place { line_start, dot, dot_cr, text };

  BodyPart take_text(std::string_view& input);

  std::string line_;         // a control line whose end has not come
  bool line_taken_ = false;  // line_ was handed out and is cleared at the next call
  bool bare_lf_ = false;     // the last control line ended without CR
  Place place_ = Place::line_start;
  bool after_cr_ = false;  // in text: the last octet was CR
};

}  // namespace popsync::pop3
