// SPDX-License-Identifier: MIT
#include "support/dialogue.h"

#include <charconv>
#include <map>
#include <optional>
#include <stdexcept>

namespace popsync::test {

namespace {

[[noreturn]] void refuse(std::size_t line, const std::string& why) { throw std::invalid_argument("line " + std::to_string(line) + ": " + why); }

std::size_t number_after(std::string_view text, std::string_view word, std::size_t line) {
  text.remove_prefix(word.size());
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) refuse(line, std::string(word) + "needs a number");
  return value;
}

// "C: USER" -> "USER"; a line that ends after the colon has no text.
std::string_view text_after(std::string_view line, std::size_t label) { return line.size() > label ? line.substr(label + 1) : std::string_view{}; }

bool has_label(std::string_view line, std::string_view label) {
  return line.starts_with(label) && (line.size() == label.size() || line[label.size()] == ' ');
}

std::optional<StepKind> keyword(std::string_view text) {
  static const std::map<std::string_view, StepKind> kKeywords = {
      {"tls", StepKind::tls},     {"drip off", StepKind::drip_off}, {"silence", StepKind::silence},
      {"close", StepKind::close}, {"drop", StepKind::drop},         {"reset", StepKind::reset},
  };
  const auto found = kKeywords.find(text);
  return found == kKeywords.end() ? std::nullopt : std::optional(found->second);
}

Step parse_step(std::string_view text, std::size_t line) {
  Step step{.line = line, .written = std::string(text)};
  if (has_label(text, "S:")) {
    step.octets = from_script_form(text_after(text, 2), line) + "\r\n";
  } else if (has_label(text, "S-")) {
    step.octets = from_script_form(text_after(text, 2), line);
  } else if (has_label(text, "C:")) {
    step.kind = StepKind::expect;
    step.octets = from_script_form(text_after(text, 2), line);
  } else if (has_label(text, "C*")) {
    step.kind = StepKind::expect_prefix;
    std::string_view prefix = text_after(text, 2);
    if (!prefix.empty() && !prefix.ends_with('*')) refuse(line, "C* takes a prefix that ends in *");
    if (!prefix.empty()) prefix.remove_suffix(1);
    step.octets = from_script_form(prefix, line);
  } else if (const std::optional<StepKind> kind = keyword(text)) {
    step.kind = *kind;
  } else if (text.starts_with("drip ")) {
    step.kind = StepKind::drip;
    step.count = number_after(text, "drip ", line);
  } else {
    refuse(line, "not a step: " + step.written);
  }
  return step;
}

}  // namespace

std::string from_script_form(std::string_view text, std::size_t line) {
  std::string octets;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      octets += text[i];
      continue;
    }
    if (++i == text.size()) refuse(line, "a backslash at the end");
    switch (text[i]) {
      case 'r': octets += '\r'; break;
      case 'n': octets += '\n'; break;
      case 't': octets += '\t'; break;
      case '0': octets += '\0'; break;
      case '\\': octets += '\\'; break;
      case 'x': {
        unsigned value = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) refuse(line, "\\x needs two hexadecimal digits");
        octets += static_cast<char>(value);
        i += 2;
        break;
      }
      default: refuse(line, std::string("unknown escape \\") + text[i]);
    }
  }
  return octets;
}

std::vector<std::vector<Step>> parse_dialogues(std::string_view text) {
  std::vector<std::vector<Step>> dialogues(1);
  std::size_t line = 0;
  std::size_t repeat = 1;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++line;
    if (content.empty() || content.starts_with('#')) continue;
    if (content == "connection") {
      dialogues.emplace_back();
      continue;
    }
    if (content.starts_with("repeat ")) {
      repeat = number_after(content, "repeat ", line);
      continue;
    }
    Step step = parse_step(content, line);
    if (step.kind == StepKind::send) {
      step.count = repeat;
    } else if (repeat != 1) {
      refuse(line, "repeat is for S: and S-");
    }
    repeat = 1;
    dialogues.back().push_back(std::move(step));
  }
  // A text that begins with `connection` means the first one by it.
  if (dialogues.size() > 1 && dialogues.front().empty()) dialogues.erase(dialogues.begin());
  return dialogues;
}

std::string in_script_form(std::string_view octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\r') {
      text += "\\r";
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\\') {
      text += "\\\\";
    } else if (octet < 0x20 || octet >= 0x7f) {
      ((text += "\\x") += kDigits[octet >> 4]) += kDigits[octet & 15];
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace popsync::test
