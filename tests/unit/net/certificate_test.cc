// SPDX-License-Identifier: MIT
// security.md TLS; protocol.md 18-21.
#include <cstdlib>
#include <optional>

#include "net_fixture.h"

namespace popsync::net {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kHost = "pop.example.org";
const std::string kLoopbackOctets("\x7f\x00\x00\x01", 4);

class Certificate : public NetTest {
 protected:
  static std::string hex(const std::string& octets) {
    std::string out;
    for (const char c : octets) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out += kHex[static_cast<unsigned char>(c) >> 4U];
      out += kHex[static_cast<unsigned char>(c) & 15U];
    }
    return out;
  }

  // The error with which a server that shows `identity` is refused; also makes sure that it never had our half of the handshake.
  Error refusal(const Identity& identity, const std::string& host, const TlsPolicy& policy, const TlsSettings& settings = {}) {
    bool finished = false;
    std::string application_octets;
    TestServer server([&](Peer& peer) {
      finished = peer.start_tls(identity, settings);
      if (finished) application_octets = peer.read();
    });
    const Error error = error_of([&] { connect_to(server, host, policy); });
    server.finish();
    EXPECT_FALSE(finished);
    EXPECT_EQ(application_octets, "");
    EXPECT_EQ(error.code(), ErrorCode::certificate) << error.what();
    return error;
  }

  void expect_accepted(const Identity& identity, const std::string& host, const TlsPolicy& policy) {
    TestServer server([&](Peer& peer) {
      EXPECT_TRUE(peer.start_tls(identity));
      peer.write("+OK ready\r\n");
      peer.wait_for_end();
    });
    const auto transport = connect_to(server, host, policy);
    EXPECT_TRUE(transport->secure());
    EXPECT_EQ(receive_exactly(*transport, 11), "+OK ready\r\n");
  }

  Identity authority_ = issue({.common_name = "Test Authority", .authority = true});
};

TEST_F(Certificate, OfAnAuthorityInCaFileIsAccepted) { expect_accepted(issue({.dns_names = {kHost}}, &authority_), kHost, trusting(authority_)); }

TEST_F(Certificate, HostIsSentAsServerNameAndComparedInALabels) {
  const Identity identity = issue({.dns_names = {"xn--bcher-kva.example"}}, &authority_);
  std::string server_name;
  TestServer server([&](Peer& peer) {
    EXPECT_TRUE(peer.start_tls(identity));
    server_name = peer.server_name();
    peer.wait_for_end();
  });
  EXPECT_TRUE(connect_to(server, "b\u00fccher.example", trusting(authority_))->secure());
  server.finish();
  EXPECT_EQ(server_name, "xn--bcher-kva.example");
}

TEST_F(Certificate, ForAnotherHostIsRefusedNamingBoth) {
  const Identity identity = issue({.dns_names = {"mail.example.org", "imap.example.org"}}, &authority_);
  const Error error = refusal(identity, kHost, trusting(authority_));
  EXPECT_THAT(error.message(), AllOf(HasSubstr("it is for mail.example.org, imap.example.org, not pop.example.org"), Not(HasSubstr(", and "))));
  EXPECT_THAT(error.hint(), AllOf(StartsWith("check `host`"), HasSubstr("tls_pin_sha256 = [\"" + hex(identity.pin()) + "\"]")));
}

// protocol.md 20
TEST_F(Certificate, ExpiredIsRefusedWithTheDate) {
  const Identity identity = issue({.dns_names = {kHost}, .valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24)}, &authority_);
  EXPECT_THAT(refusal(identity, kHost, trusting(authority_)).message(), ::testing::ContainsRegex("it expired on 20..-..-..T..:..:..Z"));
}

TEST_F(Certificate, NotYetValidIsRefusedWithTheDate) {
  const Identity identity = issue({.dns_names = {kHost}, .valid_from = std::chrono::hours(24), .valid_until = std::chrono::hours(48)}, &authority_);
  EXPECT_THAT(refusal(identity, kHost, trusting(authority_)).message(),
              ::testing::ContainsRegex("it is not valid before 20..-..-..T..:..:..Z .the clock here says 20"));
}

TEST_F(Certificate, ExpiredAuthorityIsNamed) {
  const Identity old =
      issue({.common_name = "Old Authority", .valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24), .authority = true});
  EXPECT_THAT(refusal(issue({.dns_names = {kHost}}, &old), kHost, trusting(old)).message(),
              HasSubstr("its authority CN=Old Authority expired on 20"));
}

// protocol.md 20
TEST_F(Certificate, SelfSignedIsRefusedWithTheLinesToPaste) {
  const Identity identity = issue({.dns_names = {kHost}});
  const Error error = refusal(identity, kHost, trusting(authority_));
  EXPECT_THAT(error.message(), HasSubstr("it is self-signed"));
  EXPECT_THAT(error.hint(), AllOf(HasSubstr("nly if you verified it another way"), HasSubstr("tls_trust = \"pin\""),
                                  HasSubstr("tls_pin_sha256 = [\"" + hex(identity.pin()) + "\"]")));
}

TEST_F(Certificate, EveryFailedCheckIsNamed) {
  const Identity identity = issue({.dns_names = {"other.example"}, .valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24)});
  const Error error = refusal(identity, kHost, trusting(authority_));
  EXPECT_THAT(error.message(), AllOf(HasSubstr("self-signed"), HasSubstr("it is for other.example"), HasSubstr("expired")));
  EXPECT_THAT(error.hint(), Not(StartsWith("check `host`")));
}

// protocol.md 20
TEST_F(Certificate, OfAnUnknownAuthorityIsRefusedNamingIt) {
  const Identity stranger = issue({.common_name = "Stranger \x1b[31m CA", .authority = true});
  const Error error = refusal(issue({.dns_names = {kHost}}, &stranger), kHost, trusting(authority_));
  EXPECT_THAT(error.message(), AllOf(HasSubstr("unknown authority, CN=Stranger \\x1b[31m CA"), HasSubstr("ca.pem")));
}

TEST_F(Certificate, OfAnAuthorityOfOnesOwnNamesTheKeyBeforeThePin) {
  const Error error = refusal(issue({.dns_names = {kHost}}, &authority_), kHost, TlsPolicy{});
  EXPECT_THAT(error.hint(), ::testing::ContainsRegex("your own: tls_ca_file = .*nly if you verified it another way"));
  const Identity other = issue({.authority = true});
  EXPECT_THAT(refusal(issue({.dns_names = {kHost}}, &authority_), kHost, trusting(other)).hint(), HasSubstr("add its certificate to that file"));
}

TEST_F(Certificate, OfAnAuthorityInBetweenThatIsNotSentSaysSo) {
  const Identity between = issue({.common_name = "Authority In Between", .authority = true}, &authority_);
  const Identity identity = issue({.dns_names = {kHost}}, &between);
  const Error error = refusal(identity, kHost, trusting(authority_));
  EXPECT_THAT(error.message(), HasSubstr("unknown authority, CN=Authority In Between"));
  EXPECT_THAT(error.hint(), HasSubstr("sends no certificate but its own"));
  EXPECT_THAT(refusal(identity, kHost, TlsPolicy{}, {.sent_along = &between}).hint(), Not(HasSubstr("sends no certificate but its own")));
}

TEST_F(Certificate, WithAWeakKeyIsRefusedWithItsSize) {
  const Identity weak = issue({.dns_names = {kHost}, .rsa_bits = 1024}, &authority_);
  const Error error = refusal(weak, kHost, trusting(authority_), {.security_level = 0});
  EXPECT_THAT(error.message(), HasSubstr("it has a key of 1024 bits, which is too weak"));
  EXPECT_THAT(error.hint(), StartsWith("The server needs a new certificate. "));
}

TEST_F(Certificate, SystemAuthoritiesDoNotVouchForAStranger) {
  EXPECT_THAT(refusal(issue({.dns_names = {kHost}}, &authority_), kHost, TlsPolicy{}).message(), HasSubstr("unknown authority"));
}

// Puts the environment back when a test ends.
class SslCertFile {
 public:
  explicit SslCertFile(const std::string& file) {
    if (const char* before = std::getenv("SSL_CERT_FILE")) before_ = before;
    ::setenv("SSL_CERT_FILE", file.c_str(), 1);
  }
  ~SslCertFile() { before_ ? ::setenv("SSL_CERT_FILE", before_->c_str(), 1) : ::unsetenv("SSL_CERT_FILE"); }
  SslCertFile(const SslCertFile&) = delete;
  SslCertFile& operator=(const SslCertFile&) = delete;

 private:
  std::optional<std::string> before_;
};

TEST_F(Certificate, SystemAuthoritiesHonourSslCertFileAndAreReadAgainWhenItChanges) {
  const Identity identity = issue({.dns_names = {kHost}}, &authority_);
  const Identity other = issue({.common_name = "Other Authority", .authority = true});
  const SslCertFile set(file_with(authority_.pem()));
  expect_accepted(identity, kHost, TlsPolicy{});
  expect_accepted(identity, kHost, TlsPolicy{});
  file_with(other.pem());
  refusal(identity, kHost, TlsPolicy{});
}

TEST_F(Certificate, CommonNameDoesNotCountBesideAlternativeNames) {
  const Identity identity = issue({.common_name = kHost, .dns_names = {"other.example"}}, &authority_);
  EXPECT_THAT(refusal(identity, kHost, trusting(authority_)).message(), HasSubstr("it is for other.example, not"));
}

// protocol.md 20
TEST_F(Certificate, WildcardStandsForOneWholeLabel) {
  expect_accepted(issue({.dns_names = {"*.example.org"}}, &authority_), kHost, trusting(authority_));
  refusal(issue({.dns_names = {"*.example.org"}}, &authority_), "a.pop.example.org", trusting(authority_));
  refusal(issue({.dns_names = {"po*.example.org"}}, &authority_), kHost, trusting(authority_));
}

// protocol.md 18
TEST_F(Certificate, NameCutByNulIsRefusedAndEscaped) {
  const Identity identity = issue({.dns_names = {std::string("pop.example.org\0.evil.example", 29)}}, &authority_);
  EXPECT_THAT(refusal(identity, kHost, trusting(authority_)).message(), HasSubstr("pop.example.org\\x00.evil.example"));
}

// protocol.md 19
TEST_F(Certificate, ControlAndEightBitCharactersOfANameAreEscaped) {
  const Identity identity = issue({.dns_names = {"p\xfc\x1b[2J.example.org"}}, &authority_);
  EXPECT_THAT(refusal(identity, kHost, trusting(authority_)).message(), HasSubstr("p\\xfc\\x1b[2J.example.org"));
}

TEST_F(Certificate, AddressNeedsAnAddressInTheCertificateAndSendsNoServerName) {
  const Identity identity = issue({.ip_octets = {kLoopbackOctets}}, &authority_);
  std::string server_name = "unset";
  TestServer server([&](Peer& peer) {
    EXPECT_TRUE(peer.start_tls(identity));
    server_name = peer.server_name();
    peer.wait_for_end();
  });
  EXPECT_TRUE(connect_to(server, "127.0.0.1", trusting(authority_))->secure());
  server.finish();
  EXPECT_EQ(server_name, "");
}

// protocol.md 20
TEST_F(Certificate, DnsNameOrCommonNameDoesNotStandForAnAddress) {
  const Identity by_name = issue({.dns_names = {"127.0.0.1"}}, &authority_);
  EXPECT_THAT(refusal(by_name, "127.0.0.1", trusting(authority_)).message(), HasSubstr("it is for 127.0.0.1, not address 127.0.0.1"));
  refusal(issue({.common_name = "127.0.0.1"}, &authority_), "127.0.0.1", trusting(authority_));
  const Identity other = issue({.ip_octets = {"\x7f\x01\x01\x02"}}, &authority_);
  EXPECT_THAT(refusal(other, "127.0.0.1", trusting(authority_)).message(), HasSubstr("it is for address 127.1.1.2, not address 127.0.0.1"));
}

TEST_F(Certificate, PinnedKeyNeedsNoAuthorityNameOrDate) {
  const Identity identity = issue({.dns_names = {"x.example"}, .valid_from = std::chrono::hours(-48), .valid_until = std::chrono::hours(-24)});
  expect_accepted(identity, kHost, {.trust = TlsTrust::pin, .pins_sha256 = {std::string(32, 'x'), identity.pin()}});
}

TEST_F(Certificate, OtherKeyThanThePinnedIsRefusedWhateverItsAuthority) {
  const Identity identity = issue({.dns_names = {kHost}}, &authority_);
  TlsPolicy policy = trusting(authority_);
  policy.pins_sha256 = {issue({}).pin()};
  for (const TlsTrust trust : {TlsTrust::pin, TlsTrust::ca_and_pin}) {
    policy.trust = trust;
    const Error error = refusal(identity, kHost, policy);
    EXPECT_THAT(error.message(), HasSubstr("its key is not in tls_pin_sha256"));
    EXPECT_THAT(error.hint(), HasSubstr("tls_pin_sha256 = [\"" + hex(identity.pin()) + "\"]"));
  }
}

TEST_F(Certificate, NoPinAtAllTrustsNothing) { refusal(issue({.dns_names = {kHost}}, &authority_), kHost, {.trust = TlsTrust::pin}); }

TEST_F(Certificate, CaAndPinWantsBoth) {
  const Identity identity = issue({.dns_names = {kHost}}, &authority_);
  TlsPolicy policy = trusting(authority_);
  policy.trust = TlsTrust::ca_and_pin;
  policy.pins_sha256 = {identity.pin()};
  expect_accepted(identity, kHost, policy);
  const Error error = refusal(identity, "other.example", policy);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("not other.example"), Not(HasSubstr("tls_pin_sha256"))));
}

TEST_F(Certificate, PinDoesNotReadCaFile) {
  const Identity identity = issue({});
  expect_accepted(identity, kHost, {.trust = TlsTrust::pin, .ca_file = "/nonexistent/ca.pem", .pins_sha256 = {identity.pin()}});
}

TEST_F(Certificate, CaFileThatCannotBeUsedIsAConfigurationError) {
  TestServer server([](Peer& peer) { peer.wait_for_end(); });
  const Error absent = error_of([&] { connect_to(server, kHost, {.ca_file = "/nonexistent/ca.pem"}); });
  EXPECT_EQ(absent.code(), ErrorCode::configuration);
  EXPECT_THAT(absent.message(), HasSubstr("/nonexistent/ca.pem"));
  server.finish();

  TestServer again([](Peer& peer) { peer.wait_for_end(); });
  const Error empty = error_of([&] { connect_to(again, kHost, {.ca_file = file_with("no certificate\n")}); });
  EXPECT_EQ(empty.code(), ErrorCode::configuration);
  EXPECT_THAT(empty.message(), AllOf(HasSubstr("ca.pem"), HasSubstr("holds no certificate")));
}

}  // namespace
}  // namespace popsync::net
