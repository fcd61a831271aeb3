// SPDX-License-Identifier: MIT
// Servers that must not be trusted or do not let us in: the exit status tells why, and no credential leaves before it may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <ostream>

#include "support/certificates.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// No USER, PASS, AUTH or APOP, and nothing that holds the user or the password, was sent.
void expect_no_credential(const MaildropServer& server) {
  const MaildropRecord record = server.record();
  EXPECT_THAT(record.credentials, IsEmpty());
  for (const char* verb : {"USER", "PASS", "AUTH", "APOP"}) EXPECT_EQ(record.count(verb), 0U) << verb;
  for (const ReceivedCommand& command : record.commands) EXPECT_THAT(command.line, AllOf(Not(HasSubstr("alice")), Not(HasSubstr("open-sesame"))));
}

struct RefusedServer : testing::Test {
  std::unique_ptr<MaildropServer> serve(ServerTls tls, const CertificateSpec& spec = {}, const MaildropKnobs& knobs = {}) {
    certificate = authority.issue("server", spec);
    auto server = std::make_unique<MaildropServer>(MaildropServerOptions{.tls = tls, .certificate = certificate}, knobs);
    // Servers follow each other on one account; each has mail of its own.
    server->add(small_message("one"), "uid-" + std::to_string(server->port()));
    const std::string mode = tls == ServerTls::implicit ? "implicit" : tls == ServerTls::stls ? "starttls" : "none";
    account = {.port = server->port(), .host = tls == ServerTls::none ? "127.0.0.1" : "localhost", .tls = mode};
    if (tls != ServerTls::none) account.ca_file = authority.ca_file();
    home.configure(account);
    return server;
  }
  ProgramResult sync() {
    ProgramResult result = home.run({"sync", "--trace", "-v"});
    EXPECT_THAT(result.out + result.err, Not(HasSubstr("open-sesame")));
    return result;
  }

  TempFolder certificates{"certificates"};
  CertificateAuthority authority{certificates.path()};
  CertificateFiles certificate;
  ProgramHome home;
  AccountText account;
};

TEST_F(RefusedServer, StlsAndImplicitTlsOfATrustedServerWork) {
  for (const ServerTls tls : {ServerTls::stls, ServerTls::implicit}) {
    const auto server = serve(tls);
    const ProgramResult result = sync();
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_FALSE(server->record().secret_in_clear());
    EXPECT_EQ(server->record().tls_handshakes, 1U);
  }
  EXPECT_EQ(messages_in(home.maildir()).size(), 2U);
}

struct CertificateCase {
  std::string name;
  CertificateSpec spec;
  bool own_authority = true;
};
void PrintTo(const CertificateCase& tested, std::ostream* out) { *out << tested.name; }

struct RefusedCertificate : RefusedServer, testing::WithParamInterface<CertificateCase> {};

TEST_P(RefusedCertificate, EndsBeforeAnyCredential) {
  for (const ServerTls tls : {ServerTls::stls, ServerTls::implicit}) {
    const auto server = serve(tls, GetParam().spec);
    if (!GetParam().own_authority) {
      const CertificateAuthority other(certificates.make("other"));
      account.ca_file = other.ca_file();
      home.configure(account);
    }
    const ProgramResult result = sync();
    EXPECT_EQ(result.status, 77) << result.err;
    EXPECT_THAT(result.err, HasSubstr("certificate"));
    expect_no_credential(*server);
  }
  EXPECT_TRUE(messages_in(home.maildir()).empty());
}

INSTANTIATE_TEST_SUITE_P(Certificates, RefusedCertificate,
                         testing::Values(CertificateCase{"OfAnotherHost",
                                                         {.common_name = "other.example", .dns_names = {"other.example"}, .ip_addresses = {}}},
                                         CertificateCase{"Expired", {.valid_from_days = -30, .valid_to_days = -1}},
                                         CertificateCase{"NotYetValid", {.valid_from_days = 2, .valid_to_days = 30}},
                                         CertificateCase{"SelfSigned", {.self_signed = true}}, CertificateCase{"OfAnUnknownAuthority", {}, false}),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(RefusedServer, CertificateOfTheRightNameDoesNotServeAnIpAddressItDoesNotName) {
  const auto server = serve(ServerTls::implicit, {.ip_addresses = {}});
  account.host = "127.0.0.1";
  home.configure(account);
  EXPECT_EQ(sync().status, 77);
  expect_no_credential(*server);
}

TEST_F(RefusedServer, PinOfTheRightKeyIsTakenAndOfAnotherRefused) {
  const auto server = serve(ServerTls::implicit, {.self_signed = true});
  account.ca_file.clear();
  account.more = {"tls_trust = \"pin\"", "tls_pin_sha256 = [\"" + std::string(64, 'a') + "\"]"};
  home.configure(account);
  EXPECT_EQ(sync().status, 77);
  expect_no_credential(*server);
  account.more[1] = "tls_pin_sha256 = [\"" + certificate.spki_sha256_hex + "\"]";
  home.configure(account);
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST_F(RefusedServer, OldTlsAloneIsRefused) {
  certificate = authority.issue();
  MaildropServer server({.tls = ServerTls::implicit, .certificate = certificate, .old_tls_only = true});
  home.configure({.port = server.port(), .host = "localhost", .tls = "implicit", .ca_file = authority.ca_file()});
  EXPECT_EQ(sync().status, 77);
  expect_no_credential(server);
}

// protocol.md 12
TEST_F(RefusedServer, StlsRefusedEndsBeforeAnyCredential) {
  const auto server = serve(ServerTls::stls, {}, {.faults = {{.verb = "STLS", .reply = "-ERR TLS not available"}}});
  EXPECT_EQ(sync().status, 77);
  expect_no_credential(*server);
}

// protocol.md 11
TEST_F(RefusedServer, StlsStrippedFromTheCapabilitiesEndsBeforeAnyCredential) {
  const auto server = serve(ServerTls::stls, {}, {.capabilities = {{"USER", "SASL PLAIN", "UIDL", "TOP"}}});
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 77);
  EXPECT_THAT(result.err, HasSubstr("STLS"));
  expect_no_credential(*server);
}

TEST_F(RefusedServer, OctetsBehindTheAnswerToStlsAreAnInjection) {
  const auto server = serve(ServerTls::stls, {}, {.after_stls = "+OK injected\r\n"});
  EXPECT_EQ(sync().status, 76);
  expect_no_credential(*server);
}

TEST_F(RefusedServer, ImplicitTlsAgainstACleartextServerEndsBeforeAnyCredential) {
  const auto server = serve(ServerTls::none);
  account.tls = "implicit";
  home.configure(account);
  const ProgramResult result = sync();
  EXPECT_THAT(result.status, testing::AnyOf(76, 77)) << result.err;
  expect_no_credential(*server);
}

TEST_F(RefusedServer, CleartextWithoutPermissionIsAMistakeOfTheConfiguration) {
  const auto server = serve(ServerTls::none);
  home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server->port()) +
                      "\nuser = \"alice\"\npassword = \"open-sesame\"\ntls = \"none\"\nmaildir = \"" + home.maildir() + "\"\n");
  EXPECT_EQ(sync().status, 78);
  EXPECT_EQ(server->record().sessions, 0U);
}

TEST_F(RefusedServer, LoginNeverGoesInClearWhereTlsWasAskedFor) {
  const auto server = serve(ServerTls::stls);
  sync();
  const MaildropRecord record = server->record();
  EXPECT_FALSE(record.credentials.empty());
  EXPECT_FALSE(record.secret_in_clear());
  for (const ReceivedCommand& command : record.commands) {
    EXPECT_TRUE(!command.in_clear || command.line == "CAPA" || command.line == "STLS") << command.line;
  }
}

struct AnswerCase {
  std::string name;
  std::string answer;
  int status;
};
void PrintTo(const AnswerCase& tested, std::ostream* out) { *out << tested.name; }

struct RefusedLogin : RefusedServer, testing::WithParamInterface<AnswerCase> {};

TEST_P(RefusedLogin, EndsWithItsStatus) {
  for (const char* method : {"user", "plain"}) {
    const std::string verb = method == std::string("user") ? "PASS" : "AUTH";
    const auto server = serve(ServerTls::none, {}, {.faults = {{.verb = verb, .reply = GetParam().answer}}});
    account.more = {"auth = \"" + std::string(method) + "\""};
    home.configure(account);
    const ProgramResult result = sync();
    EXPECT_EQ(result.status, GetParam().status) << result.err;
    EXPECT_EQ(server->record().count("RETR"), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Answers, RefusedLogin,
                         testing::Values(AnswerCase{"Auth", "-ERR [AUTH] wrong password", 77}, AnswerCase{"Plain", "-ERR wrong password", 77},
                                         AnswerCase{"InUse", "-ERR [IN-USE] maildrop locked", 75},
                                         AnswerCase{"LoginDelay", "-ERR [LOGIN-DELAY] too soon", 75},
                                         AnswerCase{"SysTemp", "-ERR [SYS/TEMP] try later", 75}, AnswerCase{"SysPerm", "-ERR [SYS/PERM] gone", 69}),
                         [](const auto& tested) { return tested.param.name; });

// protocol.md 50
TEST_F(RefusedServer, LoginIsNotSentAheadTheFirstTimeThoughTheServerAnnouncesPipelining) {
  const auto server = serve(ServerTls::none);
  account.password = "wrong-sesame";
  account.more = {"auth = \"user\""};
  home.configure(account);
  EXPECT_EQ(sync().status, 77);
  EXPECT_EQ(server->record().count("PASS"), 1U);
  EXPECT_EQ(server->record().sent_ahead, 0U);
}

TEST_F(RefusedServer, WrongPasswordIsRefusedWithAHint) {
  const auto server = serve(ServerTls::none);
  account.password = "wrong-sesame";
  home.configure(account);
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 77);
  EXPECT_THAT(result.err, AllOf(HasSubstr("login as alice refused"), HasSubstr("check user and password")));
  EXPECT_THAT(result.err, Not(HasSubstr("wrong-sesame")));
}

TEST_F(RefusedServer, GreetingThatRefusesEndsWith69) {
  const auto server = serve(ServerTls::none, {}, {.greeting = "-ERR no service for you"});
  EXPECT_EQ(sync().status, 69);
  expect_no_credential(*server);
}

TEST_F(RefusedServer, GreetingWithAResponseCodeIsObeyed) {
  for (const auto& [greeting, status] : std::map<std::string, int>{{"-ERR [SYS/TEMP] busy", 75}, {"-ERR [SYS/PERM] closed", 69}}) {
    const auto server = serve(ServerTls::none, {}, {.greeting = greeting});
    EXPECT_EQ(sync().status, status) << greeting;
  }
}

TEST_F(RefusedServer, OtherProtocolEndsWith76) {
  const auto server = serve(ServerTls::none, {}, {.greeting = "* OK [CAPABILITY IMAP4rev1] ready"});
  EXPECT_EQ(sync().status, 76);
  expect_no_credential(*server);
}

TEST_F(RefusedServer, HostThatDoesNotExistEndsWith69OrAsTemporaryWithoutAResolver) {
  home.configure({.port = 110, .host = "no-such-host.invalid"});
  EXPECT_THAT(sync().status, testing::AnyOf(69, 75));
}

TEST_F(RefusedServer, ClosedPortEndsWith75) {
  std::uint16_t port = 0;
  {
    const MaildropServer gone;
    port = gone.port();
  }
  home.configure({.port = port});
  EXPECT_EQ(sync().status, 75);
}

TEST_F(RefusedServer, TerminalEscapesOfTheServerReachNoTerminal) {
  const auto server = serve(ServerTls::none, {}, {.greeting = "-ERR \x1b[2J\x1b]0;owned\x07 go away"});
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 69);
  EXPECT_THAT(result.err, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")), HasSubstr("go away")));
}

TEST_F(RefusedServer, ApopSendsADigestOnly) {
  const auto server = serve(ServerTls::none);
  account.more = {"auth = \"apop\""};
  home.configure(account);
  const ProgramResult result = sync();
  EXPECT_EQ(result.status, 0) << result.err;
  ASSERT_EQ(server->record().credentials.size(), 1U);
  EXPECT_EQ(server->record().credentials.front().mechanism, "APOP");
  for (const ReceivedCommand& command : server->record().commands) EXPECT_THAT(command.line, Not(HasSubstr("open-sesame")));
}

TEST_F(RefusedServer, TraceMasksTheCredentialOfEveryMethodAndShowsNoBody) {
  for (const char* method : {"user", "plain", "apop", "auto"}) {
    const auto server = serve(ServerTls::none);
    server->add(small_message("secret subject", "private body\r\n"), "uid-private-" + std::string(method));
    account.more = {"auth = \"" + std::string(method) + "\""};
    home.configure(account);
    const ProgramResult result = home.run({"sync", "--trace", "-v"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("C: "), HasSubstr("S: +OK"), HasSubstr("octets]"))) << method;
    EXPECT_THAT(result.out + result.err, AllOf(Not(HasSubstr("open-sesame")), Not(HasSubstr("private body")))) << method;
    for (const ReceivedCredential& credential : server->record().credentials) EXPECT_THAT(result.err, Not(HasSubstr(credential.secret)));
    // base64 of NUL alice NUL open-sesame
    EXPECT_THAT(result.err, Not(HasSubstr("AGFsaWNlAG9wZW4tc2VzYW1l"))) << method;
  }
}

}  // namespace
}  // namespace popsync::test
