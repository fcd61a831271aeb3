// SPDX-License-Identifier: MIT
// {name}, {user} and {host} in a value, so that one line in [defaults] serves many accounts. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace popsync::config {

struct TemplateFields {
  std::string_view name;
  std::string_view user;
  std::string_view host;
};

// What is wrong with a path or a name to be expanded: a brace that belongs to none of the three. An argument of a command has no such fault, awk and
// others need their braces.
std::optional<std::string> fault_of_template(std::string_view text);

// Which of the fields, put into `text`, would make another path or another template of it ("user \"../x\" ..."), or nothing. `is_path`: "/" and names
// of dots alone are refused too, or a user name could lead out of the folder.
std::optional<std::string> fault_of_fields(std::string_view text, const TemplateFields& fields, bool is_path);

// In one pass: what comes in is not expanded again.
std::string expand(std::string_view text, const TemplateFields& fields);

}  // namespace popsync::config
