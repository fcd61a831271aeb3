// SPDX-License-Identifier: MIT
#include "support/dialogue_file.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "support/dialogue.h"

namespace popsync::test {
namespace {

struct Place {
  std::string file;
  std::size_t line = 0;
};

[[noreturn]] void refuse(const Place& place, const std::string& why) {
  throw std::invalid_argument(place.file + ":" + std::to_string(place.line) + ": " + why);
}

std::vector<std::string> lines_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::invalid_argument("no dialogue " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What stands behind `label`; empty if the line has another.
std::optional<std::string_view> behind(std::string_view line, std::string_view label) {
  if (!line.starts_with(label)) return std::nullopt;
  line.remove_prefix(label.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void expect_count(ExpectedSync& sync, std::string_view text, const Place& place) {
  const auto blank = text.find(' ');
  const auto count = blank == std::string_view::npos ? std::nullopt : number_in(text.substr(blank + 1));
  const std::string_view word = text.substr(0, blank);
  std::uint64_t* field = word == "fetched" ? &sync.fetched : word == "deleted" ? &sync.deleted : word == "held" ? &sync.held : nullptr;
  if (!count || field == nullptr) refuse(place, "not to be expected: " + std::string(text));
  *field = *count;
}

// "fetched 2, held 1, error timeout: some text"
ExpectedSync expected_sync(std::string_view text, const Place& place) {
  ExpectedSync sync;
  while (!text.empty()) {
    if (const auto error = behind(text, "error ")) {
      const auto colon = error->find(": ");
      sync.error = error_code_named(error->substr(0, colon));
      if (!sync.error) refuse(place, "no such error: " + std::string(*error));
      if (colon != std::string_view::npos) sync.says = error->substr(colon + 2);
      return sync;
    }
    const auto comma = text.find(", ");
    expect_count(sync, text.substr(0, comma), place);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 2);
  }
  return sync;
}

ExpectedMessage expected_message(std::string_view text, const Place& place) {
  if (text.ends_with(" octets")) {
    if (const auto size = number_in(text.substr(0, text.size() - std::string_view(" octets").size()))) return {.size = *size};
  }
  return {.octets = from_script_form(text, place.line)};
}

void read_comment(DialogueFile& file, std::string_view line, const Place& place) {
  if (const auto setting = behind(line, "# with:")) {
    const auto blank = std::min(setting->find(' '), setting->size());
    file.settings.emplace_back(setting->substr(0, blank), setting->substr(std::min(blank + 1, setting->size())));
  } else if (const auto sync = behind(line, "# expect:")) {
    file.syncs.push_back(expected_sync(*sync, place));
  } else if (const auto message = behind(line, "# stored:")) {
    file.stored.push_back(expected_message(*message, place));
  } else if (const auto played = behind(line, "# played:")) {
    if (!played->starts_with("as written")) refuse(place, "played how? " + std::string(*played));
    file.as_written_only = true;
  }
}

}  // namespace

bool DialogueFile::expects(std::string_view words) const {
  const std::string text = "\n" + dialogue;
  return text.find("\nC: " + std::string(words)) != std::string::npos || text.find("\nC* " + std::string(words)) != std::string::npos;
}

DialogueFile read_dialogue_file(const std::string& path) {
  DialogueFile file;
  Place place{.file = path};
  for (const std::string& line : lines_of_file(path)) {
    ++place.line;
    if (const auto part = behind(line, "use ")) {
      const auto folder = std::filesystem::path(path).parent_path();
      for (const std::string& text : lines_of_file(folder / (std::string(*part) + ".part"))) file.dialogue += text + "\n";
      continue;
    }
    if (line.starts_with('#')) read_comment(file, line, place);
    file.dialogue += line + "\n";
  }
  if (file.syncs.empty()) refuse(place, "nothing is expected of it");
  return file;
}

}  // namespace popsync::test
