// SPDX-License-Identifier: MIT
// The first line of a reply: status indicator, response code (RFC 2449 section 8, RFC 3206) and text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace popsync::pop3 {

enum class Indicator { ok, err, challenge };

struct StatusLine {
  Indicator indicator = Indicator::err;
  std::string response_code;  // upper case, without brackets; empty if there is none
  std::string text;           // foreign, and it may repeat the password: to be read, not to be shown
  // Where `text` repeats what was sent to log in: the same without it.
  std::optional<std::string> masked = {};
  // Foreign: escape before showing.
  [[nodiscard]] const std::string& shown() const { return masked ? *masked : text; }
  [[nodiscard]] bool ok() const { return indicator == Indicator::ok; }
};

// `line` without its line end. Accepts +OK and -ERR followed by a blank or nothing; in any case of letters only while `lenient` (before login:
// some servers greet with "+Ok"). "+ text" is a challenge where one is allowed. Anything else is no status line: empty.
std::optional<StatusLine> parse_status_line(std::string_view line, bool lenient, bool challenge_allowed);

enum class RefusedStep { greeting, login, other };

// What a refusal (-ERR) means: the response code if there is a known one, else the words (refusal_words.h), else the step it came at. At the login
// that is login_unclear: the server gives no reason, and counts perhaps.
ErrorCode classify_refusal(const StatusLine& line, RefusedStep step);

// "the server said: -ERR [AUTH] no", masked and escaped.
std::string quoted(const StatusLine& line);

}  // namespace popsync::pop3
