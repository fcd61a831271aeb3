// SPDX-License-Identifier: MIT
#include "pop3/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace popsync::pop3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Writes down what it is told; parts of a body are joined.
class RecordingSink : public ReplySink {
 public:
  void status(Verb verb, MessageNumber number, const StatusLine& line) override {
    const std::string indicator = line.ok() ? "+OK" : line.indicator == Indicator::err ? "-ERR" : "+";
    events.push_back(name(verb, number) + " " + indicator + (line.text.empty() ? "" : " " + line.text));
  }
  void line(Verb verb, std::string_view text) override { events.push_back(name(verb, {}) + " line " + std::string(text)); }
  void body(MessageNumber number, std::string_view octets) override {
    if (number != body_of_) events.push_back("body " + std::to_string(number.value) + " ");
    body_of_ = number;
    events.back() += octets;
  }
  void end(Verb verb, MessageNumber number) override {
    body_of_ = {};
    events.push_back(name(verb, number) + " end");
  }

  std::vector<std::string> events;

 private:
  static std::string name(Verb verb, MessageNumber number) {
    return std::string(name_of(verb)) + (number.value > 0 ? " " + std::to_string(number.value) : "");
  }

  MessageNumber body_of_;
};

constexpr MessageNumber number(std::uint32_t value) { return MessageNumber{value}; }

Command command(Verb verb, std::string argument = {}) { return {.verb = verb, .argument = std::move(argument)}; }
Command command(Verb verb, std::uint32_t message) { return {.verb = verb, .argument = {}, .number = number(message)}; }

class SessionTest : public testing::Test {
 protected:
  void greet() { session_.receive("+OK ready\r\n", sink_); }
  void log_in() {
    greet();
    log_in_greeted();
  }
  void log_in_greeted() {
    session_.submit(command(Verb::pass, "x"));
    session_.receive("+OK\r\n", sink_);
    sink_.events.clear();
    (void)session_.take_output();
  }
  Error refused(std::string_view octets) {
    try {
      session_.receive(octets, sink_);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "accepted: " << octets;
    return Error(ErrorCode::bug, "");
  }

  Session session_;
  RecordingSink sink_;
};

TEST_F(SessionTest, TheGreetingComesUnasked) {
  EXPECT_EQ(session_.state(), SessionState::greeting);
  EXPECT_EQ(session_.outstanding(), 1U);
  greet();
  EXPECT_EQ(session_.state(), SessionState::authorization);
  EXPECT_EQ(session_.outstanding(), 0U);
  EXPECT_THAT(sink_.events, ElementsAre("NOOP +OK ready", "NOOP end"));
}

TEST_F(SessionTest, ARefusingGreetingIsAValueForTheCaller) {
  session_.receive("-ERR [SYS/TEMP] later\r\n", sink_);
  EXPECT_THAT(sink_.events, ElementsAre("NOOP -ERR [SYS/TEMP] later", "NOOP end"));
}

// protocol.md 4
TEST_F(SessionTest, AGreetingOfAnotherProtocolSaysWhichOne) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"* OK Gimap ready\r\n", "IMAP"},   {"220 mail.example.org ESMTP\r\n", "SMTP"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "SSH"}, {"HTTP/1.1 400 Bad Request\r\n", "web server"},
      {"<html>\r\n", "web server"},       {"\x16\x03\x01\n", "TLS"},
      {"hello\r\n", "no POP3 server"},    {"\r\n", "no POP3 server"},       // 5
      {"OK ready\r\n", "no POP3 server"}, {"+OKAY\r\n", "no POP3 server"},  // 111
  };
  for (const auto& [greeting, meant] : table) {
    Session session;
    RecordingSink sink;
    try {
      session.receive(greeting, sink);
      ADD_FAILURE() << "accepted: " << greeting;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_pop3) << greeting;
      EXPECT_THAT(error.message(), HasSubstr(meant)) << greeting;
      EXPECT_EQ(error.message().find_first_of("\r\n\x16"), std::string::npos);
    }
    EXPECT_THAT(sink.events, IsEmpty());
  }
}

TEST_F(SessionTest, AForeignGreetingIsQuotedShort) {
  const Error error = refused(std::string(5000, 'x') + "\r\n");
  EXPECT_LT(error.message().size(), 200U);
}

TEST_F(SessionTest, CommandsGoOutInTheOrderTheyWereGiven) {
  log_in();
  session_.submit(command(Verb::uidl));
  session_.submit(command(Verb::retr, 7));
  EXPECT_EQ(session_.take_output(), "UIDL\r\nRETR 7\r\n");
  EXPECT_EQ(session_.take_output(), "");
}

TEST_F(SessionTest, RepliesAnswerTheCommandsFirstInFirstOut) {
  log_in();
  session_.submit(command(Verb::stat));
  session_.submit(command(Verb::uidl));
  session_.submit(command(Verb::retr, 2));
  session_.submit(command(Verb::uidl_one, 2));
  session_.submit(command(Verb::dele, 2));
  EXPECT_EQ(session_.outstanding(), 5U);
  const std::string replies =
      "+OK 2 40\r\n"
      "+OK\r\n1 a\r\n..2 b\r\n.\r\n"
      "+OK 20 octets\r\nSubject: x\r\n..\r\n.\r\n"
      "+OK 2 b\r\n"
      "-ERR gone\r\n";
  const auto expected = ElementsAre("STAT +OK 2 40", "STAT end", "UIDL +OK", "UIDL line 1 a", "UIDL line .2 b", "UIDL end", "RETR 2 +OK 20 octets",
                                    "body 2 Subject: x\r\n.\r\n", "RETR 2 end", "UIDL 2 +OK 2 b", "UIDL 2 end", "DELE 2 -ERR gone", "DELE 2 end");
  session_.receive(replies, sink_);
  EXPECT_THAT(sink_.events, expected);
  EXPECT_EQ(session_.outstanding(), 0U);
}

// protocol.md 112
TEST_F(SessionTest, PipelinedRepliesAreTheSameInAnySegmentation) {
  const std::string replies = "+OK\r\na\r\n..\r\n.\r\n+OK 1 x\r\n-ERR no\r\n+OK\r\n.\r\n";
  std::vector<std::string> whole;
  for (std::size_t size = replies.size(); size > 0; --size) {
    Session session;
    RecordingSink sink;
    session.receive("+OK\r\n", sink);
    session.submit(command(Verb::pass, "x"));
    session.receive("+OK\r\n", sink);
    sink.events.clear();
    session.submit(command(Verb::retr, 1));
    session.submit(command(Verb::uidl_one, 1));
    session.submit(command(Verb::retr, 2));
    session.submit(command(Verb::list));
    for (std::size_t from = 0; from < replies.size(); from += size) session.receive(std::string(replies.substr(from, size)), sink);
    if (whole.empty()) whole = sink.events;
    EXPECT_EQ(sink.events, whole) << "segments of " << size;
    EXPECT_EQ(session.outstanding(), 0U);
  }
  EXPECT_THAT(whole, ElementsAre("RETR 1 +OK", "body 1 a\r\n.\r\n", "RETR 1 end", "UIDL 1 +OK 1 x", "UIDL 1 end", "RETR 2 -ERR no", "RETR 2 end",
                                 "LIST +OK", "LIST end"));
}

TEST_F(SessionTest, TheOctetsOfCommandsCountUntilTheyAreAnswered) {
  log_in();
  EXPECT_EQ(session_.command_octets_outstanding(), 0U);
  session_.submit(command(Verb::retr, 1));
  session_.submit(command(Verb::uidl_one, 1));
  EXPECT_EQ(session_.command_octets_outstanding(), 16U);
  session_.receive("+OK\r\na\r\n", sink_);
  EXPECT_EQ(session_.command_octets_outstanding(), 16U);
  session_.receive(".\r\n", sink_);
  EXPECT_EQ(session_.command_octets_outstanding(), 8U);
  session_.receive("+OK 1 x\r\n", sink_);
  EXPECT_EQ(session_.command_octets_outstanding(), 0U);
}

TEST_F(SessionTest, ARefusalOfAMultiLineCommandHasNoFurtherLines) {
  log_in();
  session_.submit(command(Verb::uidl));
  session_.submit(command(Verb::retr, 1));
  session_.submit(command(Verb::stat));
  session_.receive("-ERR no UIDL\r\n-ERR no such message\r\n+OK 0 0\r\n", sink_);
  EXPECT_THAT(sink_.events, ElementsAre("UIDL -ERR no UIDL", "UIDL end", "RETR 1 -ERR no such message", "RETR 1 end", "STAT +OK 0 0", "STAT end"));
}

// protocol.md 110
TEST_F(SessionTest, OctetsThatNobodyAskedForEndTheSession) {
  log_in();
  EXPECT_EQ(refused("-ERR autologout\r\n").code(), ErrorCode::desynchronised);
}

TEST_F(SessionTest, OctetsBehindTheLastReplyEndTheSession) {
  log_in();
  session_.submit(command(Verb::noop));
  const Error error = refused("+OK\r\n+OK\x1b\r\n");
  EXPECT_EQ(error.code(), ErrorCode::desynchronised);
  EXPECT_THAT(error.message(), HasSubstr("+OK\\x1b"));
}

TEST_F(SessionTest, WhatIsHiddenIsReadAsItCameAndShownWithoutIt) {
  session_.hide("sesame");
  log_in();
  session_.submit(command(Verb::uidl_one, 1));
  StatusLine told;
  struct Keeper : RecordingSink {
    explicit Keeper(StatusLine& line) : kept(line) {}
    void status(Verb /*verb*/, MessageNumber /*number*/, const StatusLine& line) override { kept = line; }
    StatusLine& kept;
  } keeper(told);
  session_.receive("+OK 1 sesame\r\n", keeper);
  EXPECT_EQ(told.text, "1 sesame");
  EXPECT_EQ(told.shown(), "1 ***");
  EXPECT_EQ(quoted(told), "the server said: +OK 1 ***");
}

TEST_F(SessionTest, AnErrorShowsNothingThatIsHidden) {
  session_.hide("sesame");
  log_in();
  EXPECT_THAT(refused("-ERR no sesame\r\n").message(), HasSubstr("nobody asked for: -ERR no ***"));
  EXPECT_THAT(refused("-ERR no sesa").message(), HasSubstr("nobody asked for: -ERR no ***"));
  session_.submit(command(Verb::noop));
  EXPECT_THAT(refused("open sesame\r\n").message(), HasSubstr("is no POP3 reply: open ***"));
  // Hidden before it is cut: no beginning of it is left at the end.
  EXPECT_THAT(refused(std::string(77, 'x') + "sesame\r\n").message(), HasSubstr("xxx***"));
}

TEST_F(SessionTest, ALineThatIsNoStatusLineEndsTheSession) {
  for (const std::string reply : {"1 abc\r\n", "\r\n", "OK\r\n", "+OKAY\r\n", "+ T0s=\r\n", "+Ok\r\n", "-err\r\n", "+ OK\r\n"}) {
    Session session;
    RecordingSink sink;
    session.receive("+OK\r\n", sink);
    session.submit(command(Verb::pass, "x"));
    session.receive("+OK\r\n", sink);
    session.submit(command(Verb::noop));
    try {
      session.receive(reply, sink);
      ADD_FAILURE() << "accepted: " << reply;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::desynchronised) << reply;
    }
  }
}

TEST_F(SessionTest, BeforeLoginAStatusIndicatorMayBeInAnyCase) {
  session_.receive("+Ok ready\r\n", sink_);
  session_.submit(command(Verb::capa));
  session_.receive("-err\r\n", sink_);
  EXPECT_THAT(sink_.events, ElementsAre("NOOP +OK ready", "NOOP end", "CAPA -ERR", "CAPA end"));
}

TEST_F(SessionTest, AnEndlessLineEndsTheSession) {
  log_in();
  session_.submit(command(Verb::uidl));
  EXPECT_EQ(refused("+OK\r\n" + std::string(kControlLineOctetsMax + 1, 'x')).code(), ErrorCode::not_pop3);
}

// protocol.md 14, 15
TEST_F(SessionTest, OctetsBehindTheAnswerToStlsAreAnAttack) {
  for (const std::string injected : {"+OK\r\n", "...123", "."}) {
    Session session;
    RecordingSink sink;
    session.receive("+OK\r\n", sink);
    session.submit(command(Verb::stls));
    try {
      session.receive("+OK Begin TLS\r\n" + injected, sink);
      ADD_FAILURE() << "accepted: " << injected;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::desynchronised);
      EXPECT_THAT(error.message(), HasSubstr("STLS"));
    }
  }
}

TEST_F(SessionTest, TlsBeginsInTheAuthorizationState) {
  greet();
  session_.submit(command(Verb::stls));
  EXPECT_EQ(session_.take_output(), "STLS\r\n");
  session_.receive("+OK\r\n", sink_);
  session_.tls_started();
  EXPECT_EQ(session_.state(), SessionState::authorization);
  session_.submit(command(Verb::capa));
  EXPECT_EQ(session_.outstanding(), 1U);
}

TEST_F(SessionTest, AChallengeIsAReplyToAuthAlone) {
  greet();
  session_.submit(command(Verb::auth, "PLAIN"));
  session_.receive("+ \r\n", sink_);
  EXPECT_EQ(session_.state(), SessionState::authorization);
  session_.submit(command(Verb::auth_response, "AGpvZQBzZWNyZXQ="));
  session_.receive("+OK\r\n", sink_);
  EXPECT_EQ(session_.state(), SessionState::transaction);
  EXPECT_EQ(session_.take_output(), "AUTH PLAIN\r\nAGpvZQBzZWNyZXQ=\r\n");
  EXPECT_THAT(sink_.events, ElementsAre("NOOP +OK ready", "NOOP end", "AUTH +", "AUTH end", " +OK", " end"));
}

// protocol.md 44
TEST_F(SessionTest, AChallengeWithoutABlankIsAChallenge) {
  greet();
  session_.submit(command(Verb::auth, "PLAIN"));
  session_.receive("+\r\n", sink_);
  EXPECT_EQ(sink_.events.at(2), "AUTH +");
}

TEST_F(SessionTest, LoginLeadsToTheTransactionStateOnlyWhenAccepted) {
  for (const Verb verb : {Verb::pass, Verb::apop, Verb::auth, Verb::auth_response}) {
    Session session;
    RecordingSink sink;
    session.receive("+OK\r\n", sink);
    session.submit(command(verb, "x"));
    session.receive("-ERR no\r\n", sink);
    EXPECT_EQ(session.state(), SessionState::authorization);
    session.submit(command(verb, "x"));
    session.receive("+OK\r\n", sink);
    EXPECT_EQ(session.state(), SessionState::transaction);
  }
}

TEST_F(SessionTest, AnAcceptedUserIsNotLoggedIn) {
  greet();
  session_.submit(command(Verb::user, "joe"));
  session_.receive("+OK\r\n", sink_);
  EXPECT_EQ(session_.state(), SessionState::authorization);
}

// RFC 2449 section 6.8: what belongs behind a login may leave together with it.
TEST_F(SessionTest, CommandsMayFollowALoginThatIsUnderWay) {
  greet();
  session_.submit(command(Verb::auth, "PLAIN x"));
  session_.submit(command(Verb::stat));
  session_.submit(command(Verb::uidl_one, 3));
  EXPECT_EQ(session_.take_output(), "AUTH PLAIN x\r\nSTAT\r\nUIDL 3\r\n");
  sink_.events.clear();
  session_.receive("+OK\r\n+OK 3 600\r\n+OK 3 c\r\n", sink_);
  EXPECT_THAT(sink_.events, ElementsAre("AUTH +OK", "AUTH end", "STAT +OK 3 600", "STAT end", "UIDL 3 +OK 3 c", "UIDL 3 end"));
  EXPECT_EQ(session_.state(), SessionState::transaction);
}

TEST_F(SessionTest, ARefusedLoginLeavesTheStateWhateverIsAnsweredBehindIt) {
  greet();
  session_.submit(command(Verb::pass, "x"));
  session_.submit(command(Verb::stat));
  session_.receive("-ERR no\r\n-ERR log in first\r\n", sink_);
  EXPECT_EQ(session_.state(), SessionState::authorization);
  EXPECT_EQ(session_.outstanding(), 0U);
}

TEST_F(SessionTest, QuitLeadsToTheUpdateState) {
  log_in();
  session_.submit(command(Verb::quit));
  EXPECT_EQ(session_.state(), SessionState::update);
  EXPECT_EQ(session_.take_output(), "QUIT\r\n");
}

// The server's answers lead from state to state: none of them may end the process.
TEST_F(SessionTest, WhatTheStateForbidsEndsTheSessionAndSendsNothing) {
  const auto forbidden = [this](const Command& what) {
    try {
      session_.submit(what);
    } catch (const Error& error) {
      return error.code() == ErrorCode::desynchronised && session_.take_output().empty();
    }
    return false;
  };
  EXPECT_TRUE(forbidden(command(Verb::quit)));  // before the greeting
  EXPECT_THROW(session_.tls_started(), Error);
  greet();
  EXPECT_TRUE(forbidden(command(Verb::retr, 1)));  // before login
  log_in_greeted();
  EXPECT_TRUE(forbidden(command(Verb::pass, "x")));  // after login
  EXPECT_TRUE(forbidden(command(Verb::auth_response, "x")));
  session_.submit(command(Verb::quit));
  (void)session_.take_output();
  EXPECT_TRUE(forbidden(command(Verb::dele, 1)));  // after QUIT
}

}  // namespace
}  // namespace popsync::pop3
