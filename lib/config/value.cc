// SPDX-License-Identifier: MIT
#include "config/value.h"

#include <spdlog/fmt/fmt.h>

#include "base/escape.h"

namespace popsync::config {

std::string to_text(const Diagnostic& diagnostic) {
  const Origin& where = diagnostic.where;
  return fmt::format("{}:{}:{}: {}", escaped(where.file, kPathOctetsMax), where.line, where.column, diagnostic.text);
}

std::string_view kind_text(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::boolean: return "a boolean";
    case Value::Kind::integer: return "a number";
    case Value::Kind::real: return "a number with a fraction";
    case Value::Kind::text: return "a string";
    case Value::Kind::time: return "a date or time";
    case Value::Kind::list: return "a list";
    case Value::Kind::table: return "a table";
  }
  return "something else";
}

std::string toml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7F) {
      quoted += fmt::format("\\u{:04X}", octet);
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string place_text(const Origin& where) { return fmt::format("{}:{}", escaped(where.file, kPathOctetsMax), where.line); }

void Faults::expected_not(const Value& at, std::string_view what, std::string_view suggestion) {
  const std::string found = at.kind == Value::Kind::text ? "\"" + escaped(at.text) + "\"" : std::to_string(at.integer);
  add(at, fmt::format("expected {}, found {}{}", what, found, suggestion));
}

}  // namespace popsync::config
