// SPDX-License-Identifier: MIT
#include "pop3/command.h"

#include "base/error.h"

namespace popsync::pop3 {
namespace {

bool names_a_message(Verb verb) {
  switch (verb) {
    case Verb::list_one:
    case Verb::uidl_one:
    case Verb::retr:
    case Verb::top:
    case Verb::dele: return true;
    default: return false;
  }
}

std::string text_of(const Command& command, std::string_view argument) {
  std::string out(name_of(command.verb));
  if (names_a_message(command.verb)) {
    POPSYNC_ASSERT(command.number.value > 0);
    out += ' ' + std::to_string(command.number.value);
  }
  if (!argument.empty()) {
    if (!out.empty()) out += ' ';
    out += argument;
  }
  return out;
}

}  // namespace

ReplyForm reply_form(Verb verb) {
  switch (verb) {
    case Verb::auth:
    case Verb::auth_response: return ReplyForm::challenge;
    case Verb::capa:
    case Verb::list:
    case Verb::uidl: return ReplyForm::multi_line;
    case Verb::retr:
    case Verb::top: return ReplyForm::body;
    default: return ReplyForm::single_line;
  }
}

bool carries_secret(Verb verb) { return verb == Verb::pass || verb == Verb::apop || verb == Verb::auth || verb == Verb::auth_response; }

std::string to_wire(const Command& command) {
  // A line end inside an argument would be a second command.
  POPSYNC_ASSERT(command.argument.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  return text_of(command, command.argument) + "\r\n";
}

std::string_view secret_of(const Command& command) {
  if (!carries_secret(command.verb)) return {};
  const std::string_view argument = command.argument;
  if (command.verb == Verb::pass || command.verb == Verb::auth_response) return argument;
  // "PLAIN response", or "PLAIN" alone; "user digest", and a user's name may have blanks.
  const auto blank = argument.rfind(' ');
  if (blank == std::string_view::npos) return command.verb == Verb::auth ? std::string_view() : argument;
  return argument.substr(blank + 1);
}

std::string to_trace(const Command& command) {
  const std::string_view secret = secret_of(command);
  if (secret.empty()) return text_of(command, command.argument);
  const std::string_view told = std::string_view(command.argument).substr(0, command.argument.size() - secret.size());
  return text_of(command, std::string(told) + "***");
}

std::string_view name_of(Verb verb) {
  switch (verb) {
    case Verb::capa: return "CAPA";
    case Verb::stls: return "STLS";
    case Verb::user: return "USER";
    case Verb::pass: return "PASS";
    case Verb::apop: return "APOP";
    case Verb::auth: return "AUTH";
    case Verb::auth_response: return "";
    case Verb::stat: return "STAT";
    case Verb::list:
    case Verb::list_one: return "LIST";
    case Verb::uidl:
    case Verb::uidl_one: return "UIDL";
    case Verb::retr: return "RETR";
    case Verb::top: return "TOP";
    case Verb::dele: return "DELE";
    case Verb::rset: return "RSET";
    case Verb::noop: return "NOOP";
    case Verb::quit: return "QUIT";
  }
  return "";
}

}  // namespace popsync::pop3
