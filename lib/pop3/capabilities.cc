// SPDX-License-Identifier: MIT
#include "pop3/capabilities.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <vector>

namespace popsync::pop3 {
namespace {

// In the text alone, whatever a server announces: the command was answered; what was seen.
constexpr std::string_view kAnnounced = "CAPA";
constexpr std::string_view kRefusesEmpty = "REFUSES-EMPTY";

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const auto start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void Capabilities::add(std::string_view line) {
  const auto words = words_of(line);
  if (words.empty()) return;
  const std::string tag = upper(words[0]);
  const auto number = words.size() > 1 ? number_of(words[1]) : std::nullopt;
  if (tag == "USER") user = true;
  if (tag == "TOP") top = true;
  if (tag == "UIDL") uidl = true;
  if (tag == "PIPELINING") pipelining = true;
  if (tag == "STLS") stls = true;
  if (tag == "LOGIN-DELAY" && number) login_delay = std::chrono::seconds(*number);
  if (tag == "EXPIRE" && number) expire = std::chrono::days(*number);
  if (tag == "IMPLEMENTATION" && words.size() > 1)
    implementation = std::string_view(words[1].data(), static_cast<std::size_t>(line.data() + line.size() - words[1].data()));
  if (tag == "SASL") sasl_plain = sasl_plain || std::ranges::any_of(words, [](std::string_view word) { return upper(word) == "PLAIN"; });
}

std::string Capabilities::to_text() const {
  std::string text;
  const auto say = [&text](bool said, std::string_view line) {
    if (said) text.append(line).append("\n");
  };
  say(announced, kAnnounced);
  say(user, "USER");
  say(top, "TOP");
  say(uidl, "UIDL");
  say(pipelining, "PIPELINING");
  say(stls, "STLS");
  say(sasl_plain, "SASL PLAIN");
  if (login_delay) say(true, "LOGIN-DELAY " + std::to_string(login_delay->count()));
  if (expire) say(true, "EXPIRE " + std::to_string(expire->count()));
  say(refuses_empty, kRefusesEmpty);
  return text;
}

Capabilities Capabilities::from_text(std::string_view text) {
  Capabilities capabilities;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    capabilities.announced = capabilities.announced || line == kAnnounced;
    capabilities.refuses_empty = capabilities.refuses_empty || line == kRefusesEmpty;
    capabilities.add(line);
  }
  return capabilities;
}

}  // namespace popsync::pop3
