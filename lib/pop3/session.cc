// SPDX-License-Identifier: MIT
#include "pop3/session.h"

#include <string.h>

#include <algorithm>

#include "base/error.h"
#include "base/escape.h"

namespace popsync::pop3 {
namespace {

constexpr std::size_t kQuotedOctetsMax = 80;

bool allowed(Verb verb, SessionState state) {
  switch (verb) {
    case Verb::capa: return state == SessionState::authorization || state == SessionState::transaction;
    case Verb::quit: return state == SessionState::authorization || state == SessionState::transaction;
    case Verb::stls:
    case Verb::user:
    case Verb::pass:
    case Verb::apop:
    case Verb::auth:
    case Verb::auth_response: return state == SessionState::authorization;
    default: return state == SessionState::transaction;
  }
}

bool logs_in(Verb verb) { return verb == Verb::pass || verb == Verb::apop || verb == Verb::auth || verb == Verb::auth_response; }

// What speaks here instead of POP3, from its first words; helps more than "syntax error".
std::string_view other_protocol(std::string_view line) {
  if (line.starts_with("* ")) return "an IMAP server";
  if (line.starts_with("220")) return "an SMTP or FTP server";
  if (line.starts_with("SSH-")) return "an SSH server";
  if (line.starts_with("HTTP/") || line.starts_with("<")) return "a web server";
  if (line.starts_with("\x16\x03") || line.starts_with("\x15\x03")) return "a TLS server (use tls = \"implicit\")";
  return "no POP3 server";
}

}  // namespace

void Session::submit(const Command& command) {
  if (!allowed(command.verb, state_ahead())) {
    const std::string_view name = name_of(command.verb);
    throw Error(ErrorCode::desynchronised,
                (name.empty() ? "a login" : std::string(name)) + " has no place behind what the server has answered so far");
  }
  std::string wire = to_wire(command);
  output_.reserve(output_.size() + wire.size());
  output_ += wire;
  if (carries_secret(command.verb)) ::explicit_bzero(wire.data(), wire.size());
  command_octets_ += wire.size();
  outstanding_.push_back({.verb = command.verb, .number = command.number, .octets = wire.size()});
  if (command.verb == Verb::quit) state_ = SessionState::update;
  has_read_ = has_read_ || command.verb == Verb::retr || command.verb == Verb::top;
}

SessionState Session::state_ahead() const {
  const auto under_way = [](const Outstanding& command) { return logs_in(command.verb); };
  return state_ == SessionState::authorization && std::ranges::any_of(outstanding_, under_way) ? SessionState::transaction : state_;
}

std::string Session::take_output() {
  std::string out = std::move(output_);
  output_.clear();
  return out;
}

void Session::receive(std::string_view octets, ReplySink& sink) {
  while (!octets.empty()) {
    if (outstanding_.empty()) {
      throw Error(ErrorCode::desynchronised, last_verb_ == Verb::stls ? "the server sent octets in cleartext behind its answer to STLS"
                                                                      : "the server sent what nobody asked for: " +
                                                                            escaped(mask_.shown(octets, SecretMask::End::open), kQuotedOctetsMax));
    }
    if (!advance(octets, sink)) return;
  }
}

void Session::tls_started() {
  if (!outstanding_.empty() || !output_.empty() || decoder_.in_line()) {
    throw Error(ErrorCode::desynchronised, "TLS begins in the middle of the dialogue");
  }
  state_ = SessionState::authorization;
}

// Takes one step of the reply at the front. False: more octets are needed.
bool Session::advance(std::string_view& octets, ReplySink& sink) {
  const Outstanding& front = outstanding_.front();
  if (front.status_seen && reply_form(front.verb) == ReplyForm::body) {
    const auto part = decoder_.take_body(octets);
    if (!part.octets.empty()) sink.body(front.number, part.octets);
    if (part.complete) finish(sink);
    return true;
  }
  const auto line = decoder_.take_line(octets);
  if (!line) return false;
  if (!front.status_seen) {
    read_status(*line, sink);
  } else if (!read_line(*line, sink)) {
    finish(sink);
  }
  return true;
}

void Session::read_status(std::string_view line, ReplySink& sink) {
  Outstanding& front = outstanding_.front();
  const ReplyForm form = reply_form(front.verb);
  const bool before_login = state_ == SessionState::greeting || state_ == SessionState::authorization;
  auto status = parse_status_line(line, before_login, form == ReplyForm::challenge);
  if (!status && state_ == SessionState::greeting) {
    throw Error(ErrorCode::not_pop3,
                std::string(other_protocol(line)) + " answers here: " + (line.empty() ? "an empty line" : escaped(shown(line), kQuotedOctetsMax)),
                "check host and port");
  }
  if (!status) {
    throw Error(ErrorCode::desynchronised,
                "the answer to " + std::string(name_of(front.verb)) + " is no POP3 reply: " + escaped(shown(line), kQuotedOctetsMax));
  }
  status->masked = mask_.masked(status->text);
  front.status_seen = true;
  follow(front.verb, *status);
  sink.status(front.verb, front.number, *status);
  const bool more = status->ok() && (form == ReplyForm::body || form == ReplyForm::multi_line);
  if (!more) {
    finish(sink);
  } else if (form == ReplyForm::body) {
    decoder_.start_body();
  }
}

// False at the line that ends the reply.
bool Session::read_line(std::string_view line, ReplySink& sink) {
  if (line == ".") return false;
  if (line.starts_with('.')) line.remove_prefix(1);
  sink.line(outstanding_.front().verb, line);
  return true;
}

void Session::finish(ReplySink& sink) {
  const Outstanding done = outstanding_.front();
  outstanding_.pop_front();
  command_octets_ -= done.octets;
  last_verb_ = done.verb;
  sink.end(done.verb, done.number);
}

void Session::follow(Verb verb, const StatusLine& line) {
  if (state_ == SessionState::greeting) {
    state_ = SessionState::authorization;
    return;
  }
  if (logs_in(verb) && line.ok()) state_ = SessionState::transaction;
}

}  // namespace popsync::pop3
