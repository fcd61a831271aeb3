// SPDX-License-Identifier: MIT
// What a server may answer to a login that is sent together with what follows it, every +OK and -ERR of it: no answer may end more than the session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/pop3_client.h"

namespace popsync::net {
namespace {

// Answers each command by its verb.
class AnsweringServer : public Transport {
 public:
  explicit AnsweringServer(std::map<std::string, std::string> answers) : answers_(std::move(answers)) {}

  std::size_t receive(std::span<char> buffer, SteadyTime /*deadline*/) override {
    if (waiting_.empty()) throw Error(ErrorCode::timeout, "the server is silent");
    const std::size_t size = std::min(buffer.size(), waiting_.size());
    std::copy_n(waiting_.begin(), size, buffer.begin());
    waiting_.erase(0, size);
    return size;
  }
  void send(std::string_view octets, SteadyTime /*deadline*/) override {
    while (!octets.empty()) {
      const std::string verb(octets.substr(0, octets.find_first_of(" \r")));
      said.push_back(verb);
      waiting_ += answers_.at(verb);
      octets.remove_prefix(octets.find("\r\n") + 2);
    }
  }
  bool input_waiting() override { return !waiting_.empty(); }
  void start_tls(SteadyTime /*deadline*/) override {}
  [[nodiscard]] bool secure() const override { return true; }
  [[nodiscard]] std::string description() const override { return "memory"; }

  std::vector<std::string> said;  // verbs

 private:
  std::map<std::string, std::string> answers_;
  std::string waiting_ = "+OK ready\r\n";
};

struct Answers {
  bool user = true;
  bool pass = true;
  bool capa = true;
  bool stat = true;
  bool uidl = true;
  bool auth = true;
};

Answers answers_numbered(unsigned number) {
  const auto bit = [number](unsigned place) { return (number >> place & 1U) == 0; };
  return {.user = bit(0), .pass = bit(1), .capa = bit(2), .stat = bit(3), .uidl = bit(4), .auth = bit(5)};
}

AnsweringServer server_with(const Answers& answers) {
  const auto either = [](bool ok, const std::string& text) { return ok ? "+OK" + text + "\r\n" : std::string("-ERR no\r\n"); };
  return AnsweringServer({{"USER", either(answers.user, "")},
                          {"PASS", either(answers.pass, "")},
                          {"CAPA", either(answers.capa, "\r\nSASL PLAIN\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.")},
                          {"STAT", either(answers.stat, " 2 60")},
                          {"UIDL", either(answers.uidl, " 2 b")},
                          {"AUTH", either(answers.auth, "")}});
}

// Empty: the session is in TRANSACTION state.
std::optional<ErrorCode> expected(const Answers& answers) {
  if (answers.user && answers.pass) return std::nullopt;
  if (answers.pass) return ErrorCode::desynchronised;     // refused and accepted
  if (answers.capa && answers.auth) return std::nullopt;  // the server knows AUTH by now
  return ErrorCode::login_unclear;
}

constexpr pop3::MessageNumber kLast{2};

TEST(LoginAhead, NoCombinationOfAnswersEndsMoreThanTheSession) {
  pop3::Capabilities known;
  known.announced = known.user = known.top = known.uidl = known.pipelining = true;
  for (unsigned number = 0; number < 64; ++number) {
    SCOPED_TRACE("combination " + std::to_string(number));
    const Answers answers = answers_numbered(number);
    AnsweringServer server = server_with(answers);
    Pop3Client client(server, system_clock(), {});
    std::optional<ErrorCode> seen;
    std::optional<Glance> glance;
    try {
      client.open({.user = "alice"}, [] { return std::string_view("open-sesame"); },
                  {.known = KnownServer{.before_login = known, .after_login = known}, .ahead = true, .glance_at = kLast});
      glance = client.glance(kLast);
    } catch (const Error& error) {
      seen = error.code();
    }
    EXPECT_EQ(seen, expected(answers));
    ASSERT_GE(server.said.size(), 4U);
    EXPECT_EQ(std::vector(server.said.begin(), server.said.begin() + 4), (std::vector<std::string>{"USER", "PASS", "STAT", "UIDL"}));
    EXPECT_LE(std::ranges::count(server.said, "AUTH"), 1);
    if (!glance) continue;
    EXPECT_EQ(glance->drop.has_value(), answers.stat);
    EXPECT_EQ(glance->last.octets, answers.uidl ? "b" : "");
  }
}

// What came behind belongs to nothing that was asked, so nothing more may be read as an answer.
TEST(LoginAhead, IsNotSaidAnewWhereTheRefusalWasOutOfStep) {
  pop3::Capabilities known;
  known.announced = known.user = known.top = known.uidl = known.pipelining = true;
  AnsweringServer server({{"USER", "-ERR no\r\n"},
                          {"PASS", "-ERR no\r\n"},
                          {"STAT", "-ERR no\r\n"},
                          {"UIDL", "-ERR no\r\nK"},
                          {"CAPA", "+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n"},
                          {"AUTH", "+OK\r\n"}});
  Pop3Client client(server, system_clock(), {});
  EXPECT_THROW(client.open({.user = "alice"}, [] { return std::string_view("open-sesame"); },
                           {.known = KnownServer{.before_login = known, .after_login = known}, .ahead = true, .glance_at = kLast}),
               Error);
  EXPECT_THAT(server.said, testing::ElementsAre("USER", "PASS", "STAT", "UIDL"));
}

}  // namespace
}  // namespace popsync::net
