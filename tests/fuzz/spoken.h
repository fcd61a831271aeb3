// SPDX-License-Identifier: MIT
// What a session amounted to, read with hindsight from the two streams as a whole: the plainest reading of RFC 1939 there is, against which the one
// that works on segments as they come is compared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::fuzz {

// A command and the reply to it.
struct Spoken {
  std::string command;  // without its line end
  std::string status;   // the first line, without its line end
  std::string body;     // of RETR and TOP: unstuffed
  std::size_t end = 0;  // where in the server's stream the reply ends
};

// The commands that were answered in full, in order. `sent` begins with the first command, `received` with the greeting.
std::vector<Spoken> spoken(std::string_view sent, std::string_view received);

}  // namespace popsync::fuzz
