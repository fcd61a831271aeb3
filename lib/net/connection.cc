// SPDX-License-Identifier: MIT
#include "net/connection.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"

namespace popsync::net {
namespace {

constexpr std::size_t kReadOctets = 256U * 1024U;  // large enough that a fast wire costs few system calls

// Gathers one reply.
class Collector : public pop3::ReplySink {
 public:
  explicit Collector(Reply& reply) : reply_(reply) {}
  void status(pop3::Verb /*verb*/, pop3::MessageNumber /*number*/, const pop3::StatusLine& line) override { reply_.status = line; }
  void line(pop3::Verb /*verb*/, std::string_view text) override {
    if (reply_.lines.size() >= kCollectedLinesMax) throw Error(ErrorCode::not_pop3, "the server's list does not end");
    list_octets_ += text.size();
    if (list_octets_ > kCollectedListOctetsMax) {
      throw Error(ErrorCode::not_pop3, "the server's list is longer than " + human_octets(kCollectedListOctetsMax));
    }
    reply_.lines.emplace_back(text);
  }
  void body(pop3::MessageNumber /*number*/, std::string_view octets) override {
    reply_.body += octets.substr(0, kCollectedOctetsMax - std::min(kCollectedOctetsMax, reply_.body.size()));
  }
  void end(pop3::Verb /*verb*/, pop3::MessageNumber /*number*/) override { done_ = true; }
  [[nodiscard]] bool done() const { return done_; }

 private:
  Reply& reply_;
  std::size_t list_octets_ = 0;
  bool done_ = false;
};

}  // namespace

// Stands before the real sink and shows what passes.
class Connection::Tracing : public pop3::ReplySink {
 public:
  Tracing(Connection& connection, pop3::ReplySink& sink) : connection_(connection), sink_(sink) {}
  void status(pop3::Verb verb, pop3::MessageNumber number, const pop3::StatusLine& line) override {
    const std::string_view indicator = line.ok() ? "+OK" : line.indicator == pop3::Indicator::err ? "-ERR" : "+";
    say(std::string(indicator) + (line.text.empty() ? "" : " " + escaped(line.shown())));
    sink_.status(verb, number, line);
  }
  void line(pop3::Verb verb, std::string_view text) override {
    say(escaped(connection_.shown(text)));
    sink_.line(verb, text);
  }
  void body(pop3::MessageNumber number, std::string_view octets) override {
    connection_.traced_body_octets_ += octets.size();
    sink_.body(number, octets);
  }
  void end(pop3::Verb verb, pop3::MessageNumber number) override {
    if (pop3::reply_form(verb) == pop3::ReplyForm::body) say("[" + counted(std::exchange(connection_.traced_body_octets_, 0), "octet") + "]");
    sink_.end(verb, number);
  }

 private:
  void say(std::string_view text) { connection_.trace_("S: " + std::string(text)); }

  Connection& connection_;
  pop3::ReplySink& sink_;
};

Connection::Connection(Transport& transport, const Clock& clock, Trace trace, const Patience& patience)
    : transport_(transport),
      clock_(clock),
      trace_(std::move(trace)),
      buffer_(kReadOctets),
      patience_(patience),
      wait_max_(patience.session),
      silence_max_(patience.reply) {}

void Connection::hide(std::string_view secret) {
  if (secret.empty() || session_.hides(secret)) return;
  session_.hide(hidden_.emplace_back(secret).reveal());
}

void Connection::submit(const pop3::Command& command) {
  hide(pop3::secret_of(command));
  session_.submit(command);
  if (trace_) trace_("C: " + pop3::to_trace(command));
}

void Connection::flush() {
  std::string octets = session_.take_output();
  if (octets.empty()) return;
  try {
    transport_.send(octets, clock_.steady() + patience_.reply);
  } catch (...) {
    OPENSSL_cleanse(octets.data(), octets.size());
    throw;
  }
  OPENSSL_cleanse(octets.data(), octets.size());  // may hold a password
}

void Connection::receive(pop3::ReplySink& sink) {
  const SteadyTime start = clock_.steady();
  const std::size_t got = transport_.receive(buffer_, next_deadline());
  if (got == 0) throw Error(ErrorCode::network, "the server closed the connection");
  account_for(got, clock_.steady() - start);
  const std::string_view octets(buffer_.data(), got);
  const std::size_t outstanding = session_.outstanding();
  if (trace_) {
    Tracing tracing(*this, sink);
    session_.receive(octets, tracing);
  } else {
    session_.receive(octets, sink);
  }
  if (session_.outstanding() < outstanding) note_progress();  // a finished reply is progress, however short
}

void Connection::receive_all(pop3::ReplySink& sink) {
  while (session_.outstanding() > 0) receive(sink);
}

Reply Connection::request(const pop3::Command& command) {
  expect_silence();
  submit(command);
  flush();
  return await_reply();
}

Reply Connection::await_reply() {
  Reply reply;
  Collector collector(reply);
  while (!collector.done()) receive(collector);
  return reply;
}

Reply Connection::await_greeting() { return await_reply_within(patience_.greeting); }

Reply Connection::await_farewell() { return await_reply_within(patience_.farewell); }

Reply Connection::await_reply_within(std::chrono::nanoseconds silence_max) {
  silence_max_ = silence_max;
  Reply reply = await_reply();
  silence_max_ = patience_.reply;
  return reply;
}

void Connection::expect_silence() {
  if (session_.outstanding() > 0 || !transport_.input_waiting()) return;
  // Reading what is there tells an unasked line from a closed connection.
  Reply unasked;
  Collector collector(unasked);
  receive(collector);
}

void Connection::allow_octets(std::uint64_t octets) {
  wait_max_ += std::chrono::seconds(std::min<std::uint64_t>(octets / kSessionOctetsPerSecondMin, kSessionExtraMax.count()));
}

SteadyTime Connection::next_deadline() const {
  const std::chrono::nanoseconds left = std::min<std::chrono::nanoseconds>(silence_max_ - waited_since_progress_, wait_max_ - waited_in_all_);
  return clock_.steady() + std::max(left, std::chrono::nanoseconds(0));
}

// Only time spent waiting for the server counts: a slow disk must not look like a slow server.
void Connection::account_for(std::size_t octets, std::chrono::nanoseconds waited) {
  waited_in_all_ += waited;
  waited_since_progress_ += waited;
  octets_since_progress_ += octets;
  if (octets_since_progress_ >= kPaceOctetsMin) note_progress();
}

void Connection::note_progress() {
  waited_since_progress_ = {};
  octets_since_progress_ = 0;
}

}  // namespace popsync::net
