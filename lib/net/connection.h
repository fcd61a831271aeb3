// SPDX-License-Identifier: MIT
// A Transport and a pop3::Session together: sends commands, waits for replies within the limits, shows the dialogue to a trace. Knows no order of
// commands; that is pop3_client's (login, listings) and retrieval's (messages). One thread. Every function throws what Transport and Session throw;
// after any Error the connection is good for nothing but being destroyed, which says nothing to the server.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/transport.h"
#include "pop3/session.h"
#include "secrets/secret.h"

namespace popsync::net {

// The server may be silent this long within one reply. RFC 1939 section 3 lets a server take its time (it may scan a large maildrop).
constexpr std::chrono::seconds kReplyTimeout{60};
// A server that does not even greet within this time is none, or waits for TLS to begin.
constexpr std::chrono::seconds kGreetingTimeout{30};
// The server's last word is not waited for as long: it may be busy deleting, but whatever it did, the next listing tells.
constexpr std::chrono::seconds kFarewellTimeout{30};
// Less than kPaceOctetsMin received in kReplyTimeout of waiting counts as silence: a drip must not hold a session for ever.
constexpr std::size_t kPaceOctetsMin = 1024;
// A session may wait this long in all, and longer by what it was allowed for octets to come.
constexpr std::chrono::minutes kSessionWaitMax{30};
constexpr std::uint64_t kSessionOctetsPerSecondMin = 4096;
constexpr std::chrono::seconds kSessionExtraMax = std::chrono::hours(48);  // listed sizes may be absurd
// Collected text of one TOP reply; a server that ignores the line count must not fill memory.
constexpr std::size_t kCollectedOctetsMax = 1U << 20U;
// Lines of one collected list (CAPA), and their octets: a list without end must not keep a session for ever, and nobody is known yet who sends it.
// RFC 2449 allows 512 octets a line; that is room for 32 such lines, where real servers need two.
constexpr std::size_t kCollectedLinesMax = 1000;
constexpr std::size_t kCollectedListOctetsMax = 16U << 10U;

// NOOP while the disk catches up; servers log out after a minute or ten (RFC 1939 section 3).
constexpr std::chrono::seconds kKeepAliveEvery{30};

// The waits of a session. A test of a server that falls silent has less patience.
struct Patience {
  std::chrono::milliseconds greeting = kGreetingTimeout;
  std::chrono::milliseconds reply = kReplyTimeout;
  std::chrono::milliseconds farewell = kFarewellTimeout;
  std::chrono::milliseconds session = kSessionWaitMax;
  std::chrono::milliseconds keep_alive = kKeepAliveEvery;
};

// A line of the dialogue: "C: STAT", "S: +OK 2 320", "S: [4711 octets]"; secrets masked, whoever says them, foreign text escaped.
using Trace = std::function<void(std::string_view)>;

struct Reply {
  pop3::StatusLine status;
  std::vector<std::string> lines;  // of a multi-line reply
  std::string body;                // of TOP, with the server's line ends
};

class Connection {
 public:
  // `transport` and `clock` must outlive the connection.
  Connection(Transport& transport, const Clock& clock, Trace trace, const Patience& patience = {});

  // Hides `secret` in what is shown of the server's words, for the rest of the session: copied into locked memory that is wiped with the connection.
  // What submit() sends as a credential is hidden without being named here.
  void hide(std::string_view secret);
  // Foreign text as it may be shown, not escaped yet.
  [[nodiscard]] std::string shown(std::string_view foreign) const { return session_.shown(foreign); }
  // Queues a command; flush() sends all that are queued in one write.
  void submit(const pop3::Command& command);
  void flush();
  // Waits for octets and hands complete parts of replies to `sink`.
  void receive(pop3::ReplySink& sink);
  // Reads until no reply is outstanding.
  void receive_all(pop3::ReplySink& sink);
  // submit, flush and the whole reply.
  Reply request(const pop3::Command& command);
  // The reply to commands that were submitted before, in order.
  Reply await_reply();
  // The greeting, and the answer to QUIT: each has a limit of its own.
  Reply await_greeting();
  Reply await_farewell();
  // Error desynchronised if the server said something nobody asked for (RFC 1939 knows no such line; an autologout, or a message that was longer than
  // it looked).
  void expect_silence();
  // Prolongs the session's limit for a transfer of this size.
  void allow_octets(std::uint64_t octets);

  [[nodiscard]] Transport& transport() { return transport_; }
  [[nodiscard]] pop3::Session& session() { return session_; }

 private:
  class Tracing;

  Reply await_reply_within(std::chrono::nanoseconds silence_max);
  [[nodiscard]] SteadyTime next_deadline() const;
  void account_for(std::size_t octets, std::chrono::nanoseconds waited);
  void note_progress();

  Transport& transport_;
  const Clock& clock_;
  Trace trace_;
  std::vector<secrets::Secret> hidden_;  // the session refers to it
  pop3::Session session_;
  std::vector<char> buffer_;
  std::chrono::nanoseconds waited_since_progress_{};
  std::size_t octets_since_progress_ = 0;
  std::chrono::nanoseconds waited_in_all_{};
  Patience patience_;
  std::chrono::nanoseconds wait_max_;
  std::chrono::nanoseconds silence_max_;
  std::uint64_t traced_body_octets_ = 0;
};

}  // namespace popsync::net
