// SPDX-License-Identifier: MIT
// The text form of a ScriptedServer's dialogues (described there) as steps. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::test {

enum class StepKind { send, expect, expect_prefix, tls, drip, drip_off, silence, close, drop, reset };

struct Step {
  StepKind kind = StepKind::send;
  std::string octets = {};   // unescaped: send, expect (without CRLF), expect_prefix
  std::size_t count = 1;     // send: how many times; drip: milliseconds
  std::size_t line = 0;      // in the text, 1 is the first
  std::string written = {};  // as in the text, for messages
};

// One element for each connection. Throws std::invalid_argument naming the line.
std::vector<std::vector<Step>> parse_dialogues(std::string_view text);

// "a\\r" -> a and a carriage return. Throws std::invalid_argument naming `line`.
std::string from_script_form(std::string_view text, std::size_t line);
// Printable, with the escapes of the text form: for messages about what was received.
std::string in_script_form(std::string_view octets);

}  // namespace popsync::test
