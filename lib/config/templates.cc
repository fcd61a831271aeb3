// SPDX-License-Identifier: MIT
#include "config/templates.h"

#include <array>

#include "base/escape.h"

namespace popsync::config {
namespace {

struct Field {
  std::string_view placeholder;
  std::string_view word;
  std::string_view TemplateFields::*value;
};

constexpr std::array kFields = {Field{"{name}", "name", &TemplateFields::name}, Field{"{user}", "user", &TemplateFields::user},
                                Field{"{host}", "host", &TemplateFields::host}};

const Field* field_at_front(std::string_view text) {
  for (const Field& field : kFields) {
    if (text.starts_with(field.placeholder)) return &field;
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> fault_of_template(std::string_view text) {
  while (!text.empty()) {
    if (const Field* field = field_at_front(text)) {
      text.remove_prefix(field->placeholder.size());
      continue;
    }
    if (text.front() == '{' || text.front() == '}') {
      const std::size_t end = text.find('}');
      const std::string shown = escaped(text.substr(0, end == std::string_view::npos ? text.size() : end + 1));
      return "unknown " + shown + ", expected {name}, {user} or {host}";
    }
    text.remove_prefix(1);
  }
  return std::nullopt;
}

std::optional<std::string> fault_of_fields(std::string_view text, const TemplateFields& fields, bool is_path) {
  for (const Field& field : kFields) {
    if (text.find(field.placeholder) == std::string_view::npos) continue;
    const std::string_view value = fields.*field.value;
    if (value.empty()) continue;  // missing, and said so elsewhere
    const std::string start = std::string(field.word) + " \"" + escaped(value) + "\" ";
    if (value.find_first_of("{}") != std::string_view::npos)
      return start + "contains a brace and cannot be put into " + std::string(field.placeholder);
    if (!is_path) continue;
    if (value.find('/') != std::string_view::npos)
      return start + "contains a \"/\" and cannot be a part of a path; write the path without " + std::string(field.placeholder);
    if (value.find_first_not_of('.') == std::string_view::npos)
      return start + "cannot be a part of a path; write the path without " + std::string(field.placeholder);
  }
  return std::nullopt;
}

std::string expand(std::string_view text, const TemplateFields& fields) {
  std::string expanded;
  while (!text.empty()) {
    if (const Field* field = field_at_front(text)) {
      expanded += fields.*field->value;
      text.remove_prefix(field->placeholder.size());
      continue;
    }
    expanded += text.front();
    text.remove_prefix(1);
  }
  return expanded;
}

}  // namespace popsync::config
