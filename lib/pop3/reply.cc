// SPDX-License-Identifier: MIT
#include "pop3/reply.h"

#include <algorithm>
#include <cctype>

#include "base/escape.h"
#include "pop3/refusal_words.h"

namespace popsync::pop3 {
namespace {

char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }

std::string upper_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return upper(c); });
  return out;
}

bool starts_with_word(std::string_view line, std::string_view word, bool any_case) {
  if (line.size() < word.size()) return false;
  const std::string_view head = line.substr(0, word.size());
  if (head != word && !(any_case && upper_case(head) == word)) return false;
  return line.size() == word.size() || line[word.size()] == ' ' || line[word.size()] == '\t';
}

StatusLine with_text(Indicator indicator, std::string_view rest) {
  StatusLine out{.indicator = indicator, .response_code = {}, .text = {}};
  const auto start = rest.find_first_not_of(" \t");
  rest = start == std::string_view::npos ? std::string_view() : rest.substr(start);
  out.text = rest;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end != std::string_view::npos) out.response_code = upper_case(rest.substr(1, end - 1));
  }
  return out;
}

}  // namespace

std::optional<StatusLine> parse_status_line(std::string_view line, bool lenient, bool challenge_allowed) {
  if (starts_with_word(line, "+OK", lenient)) return with_text(Indicator::ok, line.substr(3));
  if (starts_with_word(line, "-ERR", lenient)) return with_text(Indicator::err, line.substr(4));
  if (challenge_allowed && (line == "+" || line.starts_with("+ "))) return with_text(Indicator::challenge, line.substr(1));
  return std::nullopt;
}

ErrorCode classify_refusal(const StatusLine& line, RefusedStep step) {
  const std::string_view code = line.response_code;
  if (code == "IN-USE") return ErrorCode::in_use;
  if (code == "LOGIN-DELAY") return ErrorCode::login_delay;
  if (code == "AUTH") return ErrorCode::login_refused;
  if (code == "SYS/PERM") return ErrorCode::server_permanent;
  if (code.starts_with("SYS/")) return ErrorCode::server_temporary;
  // Servers older than RFC 2449, and many younger ones, say it in words.
  const auto meaning = meaning_of(line.text);
  if (meaning == RefusalMeaning::in_use) return ErrorCode::in_use;
  if (meaning == RefusalMeaning::passes) return ErrorCode::server_temporary;
  switch (step) {
    case RefusedStep::greeting: return ErrorCode::greeting_refused;
    case RefusedStep::login: return meaning && meaning != RefusalMeaning::unclear ? ErrorCode::login_refused : ErrorCode::login_unclear;
    case RefusedStep::other: return ErrorCode::server_temporary;
  }
  return ErrorCode::server_temporary;
}

std::string quoted(const StatusLine& line) {
  const std::string_view indicator = line.ok() ? "+OK" : line.indicator == Indicator::err ? "-ERR" : "+";
  return "the server said: " + std::string(indicator) + (line.text.empty() ? "" : " " + escaped(line.shown()));
}

}  // namespace popsync::pop3
