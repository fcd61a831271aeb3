// SPDX-License-Identifier: MIT
// One POP3 session without a socket: commands go in, octets to send come out; octets of the server go in, replies come out. Commands that are
// under way stand in a FIFO, because a reply carries nothing that says which command it answers: that FIFO is pipelining (RFC 2449 section 6.8),
// and any surprise (a line that is no status line, octets that nobody asked for) is an Error after which the connection must be dropped without QUIT.
// The states are those of RFC 1939. The server's answers lead from one to the next, so a command that the state does not allow is such an Error too:
// what a server says must never end the process.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "pop3/command.h"
#include "pop3/reply.h"
#include "pop3/reply_decoder.h"
#include "pop3/secret_mask.h"

namespace popsync::pop3 {

// Receives the replies in the order of the commands. Called from within Session::receive(); may throw, the session is then unusable.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // The first line. For the greeting, `verb` is noop and `number` 0.
  virtual void status(Verb verb, MessageNumber number, const StatusLine& line) = 0;
  // A line of a multi-line reply, unstuffed.
  virtual void line(Verb verb, std::string_view text) = 0;
  // A part of a message, unstuffed, with the server's line ends.
  virtual void body(MessageNumber number, std::string_view octets) = 0;
  // The reply is complete.
  virtual void end(Verb verb, MessageNumber number) = 0;
};

enum class SessionState { greeting, authorization, transaction, update };

class Session {
 public:
  // Puts a command into the output. Error desynchronised if the state does not allow it: the one that the commands under way lead to if all are
  // answered +OK, so that what belongs behind a login may be sent together with it.
  void submit(const Command& command);
  // What is to be sent now; wipe it after sending if it holds a secret.
  [[nodiscard]] std::string take_output();
  // Reads what the server sent. Throws Error not_pop3 or desynchronised.
  void receive(std::string_view octets, ReplySink& sink);
  // From now on `secret` is hidden in what is shown of the server's words: errors and StatusLine::shown(). It must outlive the session.
  void hide(std::string_view secret) { mask_.hide(secret); }
  [[nodiscard]] bool hides(std::string_view secret) const { return mask_.hides(secret); }
  [[nodiscard]] std::string shown(std::string_view foreign) const { return mask_.shown(foreign); }
  // Makes the state that TLS begins with: authorization, and nothing remembered (RFC 2595 section 4). Error desynchronised if an answer is missing.
  void tls_started();

  [[nodiscard]] SessionState state() const { return state_; }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  // Was RETR or TOP sent? To some servers a message is read then, and QUIT makes it so.
  [[nodiscard]] bool has_read() const { return has_read_; }
  // Octets of the commands whose replies are still to come: they may sit in the server's receive buffer.
  [[nodiscard]] std::size_t command_octets_outstanding() const { return command_octets_; }

 private:
  struct Outstanding {
    Verb verb;
    MessageNumber number;
    std::size_t octets;
    bool status_seen = false;
  };

  [[nodiscard]] SessionState state_ahead() const;
  bool advance(std::string_view& octets, ReplySink& sink);
  void read_status(std::string_view line, ReplySink& sink);
  bool read_line(std::string_view line, ReplySink& sink);
  void finish(ReplySink& sink);
  void follow(Verb verb, const StatusLine& line);

  SessionState state_ = SessionState::greeting;
  ReplyDecoder decoder_;
  SecretMask mask_;
  std::deque<Outstanding> outstanding_{{.verb = Verb::noop, .number = {}, .octets = 0}};  // the greeting comes unasked
  std::string output_;
  std::size_t command_octets_ = 0;
  Verb last_verb_ = Verb::noop;
  bool has_read_ = false;
};

}  // namespace popsync::pop3
