// SPDX-License-Identifier: MIT
#include "fuzz/spoken.h"

#include <algorithm>
#include <cctype>

namespace popsync::fuzz {
namespace {

struct Line {
  std::string text;
  bool bare_lf = false;
};

// From `position` on, which moves behind it.
std::optional<Line> take_line(std::string_view stream, std::size_t& position) {
  const auto end = stream.find('\n', position);
  if (end == std::string_view::npos) return std::nullopt;
  Line line{.text = std::string(stream.substr(position, end - position)), .bare_lf = true};
  position = end + 1;
  if (line.text.ends_with('\r')) {
    line.text.pop_back();
    line.bare_lf = false;
  }
  return line;
}

bool positive(const std::string& status) {
  std::string indicator = status.substr(0, 3);
  std::ranges::transform(indicator, indicator.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return indicator == "+OK";
}

// Whether a line of the body ends at `position`.
bool line_ends_at(std::string_view stream, std::size_t position, std::size_t start, bool bare_lf) {
  if (position == start) return true;
  if (stream[position - 1] != '\n') return false;
  return bare_lf || (position - start >= 2 && stream[position - 2] == '\r');
}

// The body that starts at `position`, which moves behind its end.
std::optional<std::string> take_body(std::string_view stream, std::size_t& position, bool bare_lf) {
  std::string body;
  const std::size_t start = position;
  for (std::size_t at = start; at < stream.size(); ++at) {
    if (stream[at] == '.' && line_ends_at(stream, at, start, bare_lf)) {
      const std::string_view behind = stream.substr(at + 1);
      const std::size_t end = behind.starts_with("\r\n") ? 2 : bare_lf && behind.starts_with('\n') ? 1 : 0;
      if (end > 0) {
        position = at + 1 + end;
        return body;
      }
      continue;  // stuffing, or the stream ends here
    }
    body += stream[at];
  }
  return std::nullopt;
}

bool take_list(std::string_view stream, std::size_t& position) {
  for (auto line = take_line(stream, position); line; line = take_line(stream, position)) {
    if (line->text == ".") return true;
  }
  return false;
}

bool is_list(const std::string& command) { return command == "CAPA" || command == "UIDL" || command == "LIST"; }
bool is_message(const std::string& command) { return command.starts_with("RETR ") || command.starts_with("TOP "); }

}  // namespace

std::vector<Spoken> spoken(std::string_view sent, std::string_view received) {
  std::vector<Spoken> out;
  std::size_t read = 0;
  if (!take_line(received, read)) return out;  // the greeting
  std::size_t asked = 0;
  for (auto command = take_line(sent, asked); command; command = take_line(sent, asked)) {
    const auto status = take_line(received, read);
    if (!status) return out;
    Spoken next{.command = command->text, .status = status->text, .body = {}, .end = 0};
    if (positive(status->text) && is_message(command->text)) {
      auto body = take_body(received, read, status->bare_lf);
      if (!body) return out;
      next.body = std::move(*body);
    } else if (positive(status->text) && is_list(command->text) && !take_list(received, read)) {
      return out;
    }
    next.end = read;
    out.push_back(std::move(next));
  }
  return out;
}

}  // namespace popsync::fuzz
