// SPDX-License-Identifier: MIT
// How a MaildropServer misbehaves. Everything defaults to a correct server; a test sets what it is about. Knobs are read at every command, so a
// change made while a session runs takes effect with its next command (listings: with the next login).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace popsync::test {

// A message by its number in the session (1 is the first) or by its unique-id (which stays the same over sessions).
struct MessageRef {
  MessageRef() = default;                                           // any message
  MessageRef(int message_number) : number(message_number) {}        // NOLINT(google-explicit-constructor): reads as a value in knobs
  MessageRef(std::string unique_id) : uid(std::move(unique_id)) {}  // NOLINT(google-explicit-constructor)
  MessageRef(const char* unique_id) : uid(unique_id) {}             // NOLINT(google-explicit-constructor)
  [[nodiscard]] bool any() const { return number == 0 && uid.empty(); }
  [[nodiscard]] bool matches(int message_number, const std::string& unique_id) const {
    return any() || (number != 0 && number == message_number) || (!uid.empty() && uid == unique_id);
  }

  int number = 0;
  std::string uid;
};

// Something wrong at one command. The first fault that matches is used.
// `{.verb = "PASS", .reply = "-ERR [AUTH] no"}`, `{.verb = "RETR", .message = 3, .reply = "-ERR broken"}`, `{.nth = 7, .close = true}` (cut at the
// 7th command).
struct Fault {
  std::string verb = {};     // upper case; empty: any command
  MessageRef message = {};   // only where the command's argument is this message; default: any argument or none
  std::size_t nth = 0;       // only the nth command of a session that matches verb and message (1 is the first); 0: each
  std::string reply = {};    // sent in place of the reply, CRLF is added; empty: no reply at all. The command has no effect
  bool after_reply = false;  // the command is carried out and answered, then `reply` follows as an unsolicited line (autologout)
  bool close = false;        // then the connection is closed
};

// The connection ends, without the effects of QUIT, as soon as `octets` octets of message content were sent: stuffed, termination octets counted,
// status lines not.
struct Cut {
  std::uint64_t octets = 0;
  MessageRef message = {};  // counted within this message only; default: over all RETRs of the session
  bool reset = false;       // with RST instead of FIN
};

// RETR of `message` stops after `octets` octets of its content (counted as for Cut) until MaildropServer::release_stalled().
struct Stall {
  MessageRef message = {};
  std::uint64_t octets = 0;
};

enum class QuitBehaviour {
  normal,
  drop_before_commit,   // nothing is removed, the connection ends without a reply
  drop_after_commit,    // removed, the connection ends without a reply
  error_before_commit,  // nothing is removed, -ERR
  error_after_commit,   // removed, -ERR all the same
  ok_without_commit,    // +OK, nothing is removed
  no_answer,            // removed, no reply; the connection stays open until the client closes it
};

struct MaildropKnobs {
  // Before a session
  bool silent = false;                       // accepts connections and says nothing
  bool reset_on_connect = false;             // RST in place of a greeting
  std::optional<std::string> greeting = {};  // the whole line, without CRLF
  bool apop = true;                          // a timestamp in the greeting, and the command

  // Capabilities. A list given here is announced as it is; what the server does is not changed by it.
  bool capa = true;                                           // false: -ERR
  std::optional<std::vector<std::string>> capabilities = {};  // before login, and after if the next is absent
  std::optional<std::vector<std::string>> capabilities_after_login = {};
  bool uidl = true;            // false: not announced, -ERR
  bool uidl_announced = true;  // false: works, is not announced
  bool top = true;
  bool pipelining = true;                       // false: not announced (commands sent ahead are counted in the record)
  std::optional<std::string> login_delay = {};  // "300" or "300 USER"
  std::optional<std::string> expire = {};       // "0", "31 USER", "NEVER"

  // TLS
  bool stls = true;              // false: not announced, -ERR
  std::string after_stls = {};   // octets in cleartext right behind STLS's +OK, in the same segment
  bool stall_handshake = false;  // +OK to STLS, then silence
  bool close_notify = true;      // false: TLS connections end with FIN alone
  bool clear_login = true;       // false: USER, PASS and AUTH are refused without TLS

  // Listings
  bool empty_listing = false;                                // sessions see no message, whatever is there
  std::optional<std::string> stat_reply = {};                // the whole line
  std::function<std::string(std::uint64_t)> list_size = {};  // the size as LIST tells it, from the right one
  std::map<int, std::string> list_lines = {};                // LIST: this line for the message of that number; empty: left out
  std::map<int, std::string> uidl_lines = {};                // UIDL: the same

  // Commands
  std::vector<Fault> faults = {};
  // Called in the session's thread with the number of commands received over all sessions: before the newest is carried out, and when its reply has
  // been sent. They may call the server.
  std::function<void(std::size_t)> before_command = {};
  std::function<void(std::size_t)> after_command = {};
  std::chrono::milliseconds latency{0};  // waited once for each batch of commands that arrives together, as a round trip would be

  // Messages
  std::vector<MessageRef> unstuffed = {};                 // RETR of these without byte-stuffing
  std::function<std::string(std::string)> top_text = {};  // TOP: in place of header and lines
  std::optional<Cut> cut = {};
  std::optional<Stall> stall = {};
  std::optional<std::size_t> retr_max = {};  // RETRs in a session; further ones are answered -ERR
  bool dele_ignored = false;                 // +OK to DELE, and the message stays
  bool hide_retrieved = false;               // what was RETRd in a session that ended with QUIT is not listed again (Gmail)
  QuitBehaviour quit = QuitBehaviour::normal;
};

}  // namespace popsync::test
