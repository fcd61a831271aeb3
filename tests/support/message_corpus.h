// SPDX-License-Identifier: MIT
// Messages for tests, benchmarks and the demonstration: realistic ones from a seed (the same seed gives the same messages everywhere), and awkward
// ones that break other programs. Pure. Messages have CRLF line ends, as RETR sends them before byte-stuffing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::test {

// Plain text, multipart with base64 attachments, 8-bit, UTF-8 headers, dots at line starts, "From " lines, long lines, now and then an empty body.
// Sizes log-normal with a median of 9 kB, at most 8 MB.
std::vector<std::string> realistic_messages(std::size_t count, std::uint64_t seed = 1);

struct NamedMessage {
  std::string name;  // "bare_cr": fit for a test's name
  std::string octets;
};
// Dots, no final newline, NUL, 8-bit, a line of 1 MB, empty, headers only, "From " lines, bare LF, bare CR, CRCRLF, ".\r" at a line start, a very
// long header ...
std::vector<NamedMessage> awkward_messages();

// A small well-formed message, CRLF line ends.
std::string small_message(std::string_view subject, std::string_view body = "Hello\r\n");
// The same with a Message-ID of its own, so that its header is proof of it.
std::string message_with_id(std::string_view subject, std::string_view body = "Hello\r\n");
// Every LF as CRLF (a CR before it is kept as it is: "\r\n" stays "\r\n").
std::string with_crlf(std::string_view text);

// What RETR sends behind its status line: a final CRLF added if absent (not to an empty message), bytes stuffed, ".\r\n".
std::string octets_on_wire(std::string_view message);
// What a client has to store: the final CRLF added if absent (not to an empty message), then every CRLF as LF and nothing else changed.
std::string octets_stored(std::string_view message);

}  // namespace popsync::test
