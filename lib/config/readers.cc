// SPDX-License-Identifier: MIT
#include "config/readers.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/nearest.h"
#include "config/units.h"

namespace popsync::config {
namespace {

// "\"a\", \"b\" or \"c\""
std::string enumeration(std::span<const std::string_view> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += fmt::format("\"{}\"", words[i]);
  }
  return text;
}

}  // namespace

std::optional<bool> read_boolean(const Value& value, Faults& faults) {
  if (value.kind == Value::Kind::boolean) return value.boolean;
  faults.expected(value, "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> read_number(const Value& value, std::int64_t min, std::int64_t max, Faults& faults) {
  if (value.kind == Value::Kind::integer && value.integer >= min && value.integer <= max) return value.integer;
  const bool quoted =
      value.kind == Value::Kind::text && !value.text.empty() && std::ranges::all_of(value.text, [](char c) { return c >= '0' && c <= '9'; });
  const std::string range = fmt::format("a number from {} to {}{}", min, max, quoted ? ", without quotes" : "");
  value.kind == Value::Kind::integer ? faults.expected_not(value, range) : faults.expected(value, range);
  return std::nullopt;
}

std::optional<std::chrono::seconds> read_duration(const Value& value, std::chrono::seconds min, std::chrono::seconds max, Faults& faults) {
  const auto duration = value.kind == Value::Kind::text ? parse_duration(value.text) : std::nullopt;
  if (duration && *duration >= min && *duration <= max) return duration;
  if (duration) {
    faults.expected_not(value, fmt::format("a duration from \"{}\" to \"{}\"", duration_text(min), duration_text(max)));
  } else {
    const std::string form = fmt::format("a duration as {}", kDurationExamples);
    value.kind == Value::Kind::text ? faults.expected_not(value, form) : faults.expected(value, form);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_size(const Value& value, std::uint64_t min, std::uint64_t max, Faults& faults) {
  const auto size = value.kind == Value::Kind::text ? parse_size(value.text) : std::nullopt;
  if (size && *size >= min && *size <= max) return size;
  if (size) {
    faults.expected_not(value, fmt::format("a size from \"{}\" to \"{}\"", size_text(min), size_text(max)));
  } else {
    const std::string form = fmt::format("a size as {}", kSizeExamples);
    value.kind == Value::Kind::text ? faults.expected_not(value, form) : faults.expected(value, form);
  }
  return std::nullopt;
}

std::optional<std::string> read_text(const Value& value, Faults& faults) {
  if (value.kind == Value::Kind::text) return value.text;
  faults.expected(value, "a string");
  return std::nullopt;
}

std::optional<std::string> read_path(const Value& value, Faults& faults) {
  const std::string_view form = "an absolute path or one that begins with \"~/\"";
  if (value.kind != Value::Kind::text) {
    faults.expected(value, form);
  } else if (!value.text.starts_with('/') && !value.text.starts_with("~/")) {
    faults.expected_not(value, form);
  } else if (value.text.find('\0') != std::string::npos) {
    faults.add(value, "contains a NUL octet");
  } else {
    return value.text;
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> read_list(const Value& value, std::string_view of_what, Faults& faults) {
  if (value.kind != Value::Kind::list) {
    faults.expected(value, fmt::format("a list of {}", of_what));
    return std::nullopt;
  }
  std::vector<std::string> items;
  for (const Value& item : value.list) {
    if (item.kind == Value::Kind::text)
      items.push_back(item.text);
    else
      faults.expected(item, fmt::format("a list of {}", of_what));
  }
  return items.size() == value.list.size() ? std::optional(std::move(items)) : std::nullopt;
}

std::optional<std::size_t> read_choice(const Value& value, std::span<const std::string_view> words, Faults& faults) {
  if (value.kind != Value::Kind::text) {
    faults.expected(value, enumeration(words));
    return std::nullopt;
  }
  if (const auto found = std::ranges::find(words, value.text); found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const std::vector<std::string> candidates(words.begin(), words.end());
  faults.expected_not(value, enumeration(words), did_you_mean(value.text, candidates));
  return std::nullopt;
}

}  // namespace popsync::config
