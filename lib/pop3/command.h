// SPDX-License-Identifier: MIT
// The commands of RFC 1939, CAPA (RFC 2449), STLS (RFC 2595) and AUTH PLAIN (RFC 5034), and the form of the reply that each
// one is answered with: a reply can only be read by who knows what was asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pop3/types.h"

namespace popsync::pop3 {

enum class Verb { capa, stls, user, pass, apop, auth, auth_response, stat, list, list_one, uidl, uidl_one, retr, top, dele, rset, noop, quit };

enum class ReplyForm {
  single_line,
  challenge,   // +OK, -ERR or "+ base64" (RFC 5034 section 4)
  multi_line,  // lines up to "."
  body,        // a message up to CRLF.CRLF
};

struct Command {
  Verb verb;
  std::string argument;    // without line ends; of a credential verb: a secret
  MessageNumber number{};  // of verbs that name a message; for top the lines are in `argument`
};

ReplyForm reply_form(Verb verb);
// True if the argument must not be shown.
bool carries_secret(Verb verb);
// What is sent, with CRLF.
std::string to_wire(const Command& command);
// The part of the argument that must not be shown, nor repeated where a server repeats it; empty if there is none.
std::string_view secret_of(const Command& command);
// What a trace shows: "PASS ***", without CRLF.
std::string to_trace(const Command& command);
// "RETR"
std::string_view name_of(Verb verb);

}  // namespace popsync::pop3
