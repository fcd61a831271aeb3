// SPDX-License-Identifier: MIT
#include "pop3/reply.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace popsync::pop3 {
namespace {

// protocol.md 111
TEST(StatusLine, IsExactlyOkOrErrAndABlankOrNothing) {
  struct Row {
    std::string line;
    std::optional<Indicator> strict;
    std::optional<Indicator> lenient;
  };
  const auto ok = Indicator::ok;
  const auto err = Indicator::err;
  const std::vector<Row> table = {
      {"+OK", ok, ok},
      {"+OK ", ok, ok},
      {"+OK ready", ok, ok},
      {"+OK\tready", ok, ok},
      {"-ERR", err, err},
      {"-ERR no", err, err},
      // case-blind before login alone
      {"+Ok", {}, ok},
      {"+ok ready", {}, ok},
      {"-err", {}, err},
      {"-Err no", {}, err},
      // never
      {"+ OK", {}, {}},
      {"OK", {}, {}},
      {"", {}, {}},
      {"+OKAY", {}, {}},
      {"-ERROR", {}, {}},
      {"+OK:", {}, {}},
      {" +OK", {}, {}},
      {"+", {}, {}},
      {"+ ", {}, {}},
      {"+O", {}, {}},
      {"ERR", {}, {}},
      {"*", {}, {}},
      {".", {}, {}},
  };
  for (const Row& row : table) {
    const auto strict = parse_status_line(row.line, false, false);
    const auto lenient = parse_status_line(row.line, true, false);
    EXPECT_EQ(strict ? std::optional(strict->indicator) : std::nullopt, row.strict) << row.line;
    EXPECT_EQ(lenient ? std::optional(lenient->indicator) : std::nullopt, row.lenient) << row.line;
  }
}

TEST(StatusLine, AChallengeIsOneOnlyWhereItIsAllowed) {
  EXPECT_EQ(parse_status_line("+", false, true)->indicator, Indicator::challenge);
  EXPECT_EQ(parse_status_line("+ ", false, true)->indicator, Indicator::challenge);
  const auto challenge = parse_status_line("+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+", false, true);
  EXPECT_EQ(challenge->indicator, Indicator::challenge);
  EXPECT_EQ(challenge->text, "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+");
  EXPECT_FALSE(parse_status_line("+x", false, true).has_value());
  EXPECT_EQ(parse_status_line("+OK", false, true)->indicator, Indicator::ok);
}

TEST(StatusLine, TheResponseCodeIsTakenOutOfItsBracketsInUpperCase) {
  struct Row {
    std::string line;
    std::string code;
    std::string text;
  };
  const std::vector<Row> table = {
      {"-ERR [IN-USE] locked", "IN-USE", "[IN-USE] locked"},
      {"-ERR [sys/temp] later", "SYS/TEMP", "[sys/temp] later"},
      {"-ERR   [AUTH]no", "AUTH", "[AUTH]no"},
      {"-ERR [AUTH", "", "[AUTH"},
      {"-ERR no [AUTH]", "", "no [AUTH]"},
      {"-ERR []", "", "[]"},
      {"-ERR", "", ""},
      {"+OK ready", "", "ready"},
  };
  for (const Row& row : table) {
    const auto parsed = parse_status_line(row.line, false, false);
    EXPECT_EQ(parsed->response_code, row.code) << row.line;
    EXPECT_EQ(parsed->text, row.text) << row.line;
  }
}

TEST(Refusal, MeansWhatItsCodeElseItsWordsElseItsStepSays) {
  struct Row {
    std::string line;
    ErrorCode greeting;
    ErrorCode login;
    ErrorCode other;
  };
  using enum ErrorCode;
  const std::vector<Row> table = {
      // response codes say it whatever the step (RFC 2449, RFC 3206)
      {"-ERR [IN-USE] busy", in_use, in_use, in_use},
      {"-ERR [LOGIN-DELAY] wait", login_delay, login_delay, login_delay},
      {"-ERR [AUTH] no", login_refused, login_refused, login_refused},
      {"-ERR [SYS/PERM] gone", server_permanent, server_permanent, server_permanent},
      {"-ERR [SYS/TEMP] later", server_temporary, server_temporary, server_temporary},
      {"-ERR [SYS/OTHER] hm", server_temporary, server_temporary, server_temporary},
      {"-ERR [in-use] busy", in_use, in_use, in_use},
      {"-ERR [AUTH] mailbox is locked", login_refused, login_refused, login_refused},
      // protocol.md 38: never a login failure
      {"-ERR mailbox already in use", in_use, in_use, in_use},
      {"-ERR lock busy!  Is another session active? (11)", in_use, in_use, in_use},
      {"-ERR Mailbox already locked", in_use, in_use, in_use},
      {"-ERR Unable to lock maildrop", in_use, in_use, in_use},
      {"-ERR your maildrop is locked", in_use, in_use, in_use},
      // 39
      {"-ERR mail storage services unavailable, wait a few minutes and try again", server_temporary, server_temporary, server_temporary},
      {"-ERR Service unavailable", server_temporary, server_temporary, server_temporary},
      {"-ERR Please try again later", server_temporary, server_temporary, server_temporary},
      {"-ERR temporarily unavailable", server_temporary, server_temporary, server_temporary},
      // the step decides (3, 40)
      {"-ERR", greeting_refused, login_unclear, server_temporary},
      {"-ERR no", greeting_refused, login_unclear, server_temporary},
      {"-ERR [X-UNKNOWN] no", greeting_refused, login_unclear, server_temporary},
      {"-ERR bad password", greeting_refused, login_refused, server_temporary},
      {"-ERR Too many failed logins", greeting_refused, login_refused, server_temporary},
      {"-ERR Login failed, try again later", greeting_refused, login_unclear, server_temporary},
  };
  for (const Row& row : table) {
    const StatusLine line = parse_status_line(row.line, false, false).value();
    EXPECT_EQ(classify_refusal(line, RefusedStep::greeting), row.greeting) << row.line;
    EXPECT_EQ(classify_refusal(line, RefusedStep::login), row.login) << row.line;
    EXPECT_EQ(classify_refusal(line, RefusedStep::other), row.other) << row.line;
  }
}

// protocol.md 115
TEST(StatusLine, IsQuotedEscapedAndCut) {
  EXPECT_EQ(quoted({.indicator = Indicator::err, .response_code = "AUTH", .text = "[AUTH] no"}), "the server said: -ERR [AUTH] no");
  EXPECT_EQ(quoted({.indicator = Indicator::ok, .response_code = {}, .text = {}}), "the server said: +OK");
  EXPECT_EQ(quoted({.indicator = Indicator::challenge, .response_code = {}, .text = "x"}), "the server said: + x");
  EXPECT_EQ(quoted({.indicator = Indicator::err, .response_code = {}, .text = "\x1b[2J\r"}), "the server said: -ERR \\x1b[2J\\x0d");
  EXPECT_LT(quoted({.indicator = Indicator::err, .response_code = {}, .text = std::string(1'000'000, 'x')}).size(), 300U);
}

}  // namespace
}  // namespace popsync::pop3
