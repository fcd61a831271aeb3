// SPDX-License-Identifier: MIT
// protocol.md 6, 14, 15, 17, 21-26.
#include <fcntl.h>
#include <poll.h>

#include <future>
#include <thread>

#include "net_fixture.h"

namespace popsync::net {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kHost = "pop.example.org";

class TransportTest : public NetTest {
 protected:
  TlsPolicy policy() { return trusting(identity_); }

  Identity identity_ = issue({.dns_names = {kHost}});
};

using CleartextTransport = TransportTest;
using TlsTransport = TransportTest;
using Handshake = TransportTest;
using StartTls = TransportTest;
using Connect = TransportTest;

TEST_F(CleartextTransport, CarriesOctetsAndEndsInOrder) {
  TestServer server([](Peer& peer) {
    peer.write("+OK\r\n");
    EXPECT_EQ(peer.read(), "QUIT\r\n");
  });
  const auto transport = connect_to(server, kHost, cleartext());
  EXPECT_FALSE(transport->secure());
  EXPECT_EQ(transport->description(), "cleartext");
  EXPECT_EQ(receive_exactly(*transport, 5), "+OK\r\n");
  transport->send("QUIT\r\n", later());
  EXPECT_EQ(receive(*transport, later()), "");
  EXPECT_EQ(receive(*transport, later()), "");
  EXPECT_TRUE(transport->input_waiting());
}

TEST_F(CleartextTransport, ResetInsideAMessageIsAnErrorNeverAnEnd) {
  std::promise<void> read;
  TestServer server([&](Peer& peer) {
    peer.write("+OK\r\nhalf a mess");
    read.get_future().wait();
    peer.reset();
  });
  const auto transport = connect_to(server, kHost, cleartext());
  EXPECT_EQ(receive_exactly(*transport, 16), "+OK\r\nhalf a mess");
  read.set_value();
  const Error error = error_of([&] { receive(*transport, later()); });
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), StartsWith("connection lost: Connection reset by peer (pop.example.org:"));
}

TEST_F(CleartextTransport, SilenceEndsAtTheDeadline) {
  TestServer server([](Peer& peer) { peer.wait_for_end(); });
  const auto transport = connect_to(server, kHost, cleartext());
  const Error error = error_of([&] { receive(*transport, soon()); });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.message(), StartsWith("timeout waiting for octets from pop.example.org:"));
}

TEST_F(CleartextTransport, PassedDeadlineCountsAlsoWhenOctetsAreThere) {
  TestServer server([](Peer& peer) {
    peer.write("ab");
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, cleartext());
  std::array<char, 1> octet{};
  EXPECT_EQ(transport->receive(octet, later()), 1U);
  EXPECT_EQ(error_of([&] { receive(*transport, SteadyTime::min()); }).code(), ErrorCode::timeout);
}

TEST_F(CleartextTransport, SendingToAServerThatReadsNothingEndsAtTheDeadline) {
  std::promise<void> done;
  TestServer server([&](Peer&) { done.get_future().wait(); });
  const auto transport = connect_to(server, kHost, cleartext());
  const std::string much(64U << 20U, 'x');
  const Error error = error_of([&] { transport->send(much, soon()); });
  EXPECT_EQ(error.code(), ErrorCode::timeout) << error.what();
  done.set_value();
}

TEST_F(CleartextTransport, StopWakesReceive) {
  TestServer server([](Peer& peer) { peer.wait_for_end(); });
  const auto transport = connect_to(server, kHost, cleartext());
  std::promise<void> receiving;
  std::thread stopper([&] {
    receiving.get_future().wait();
    stop_source_.request_stop();
  });
  const Error error = error_of([&] {
    receiving.set_value();
    receive(*transport, later());
  });
  stopper.join();
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
  EXPECT_EQ(error_of([&] { transport->send("x", later()); }).code(), ErrorCode::interrupted);
}

TEST_F(CleartextTransport, WaitingInputIsSeenAndStillReceived) {
  TestServer server([](Peer& peer) {
    peer.write("abc");
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, cleartext());
  std::array<char, 1> octet{};
  EXPECT_EQ(transport->receive(octet, later()), 1U);
  while (!transport->input_waiting()) {  // the rest may come in a segment of its own
  }
  EXPECT_TRUE(transport->input_waiting());
  EXPECT_EQ(receive_exactly(*transport, 2), "bc");
  EXPECT_FALSE(transport->input_waiting());
}

TEST_F(CleartextTransport, SocketIsNotInherited) {
  TestServer server([](Peer& peer) { peer.wait_for_end(); });
  const auto transport = connect_to(server, kHost, cleartext());
  int found = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || ntohs(address.sin_port) != server.port()) continue;
    ++found;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(found, 1);
}

TEST_F(TlsTransport, CarriesMoreThanTheSocketBuffersHold) {
  constexpr std::size_t kOctets = 8U << 20U;
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_));
    for (std::size_t count = 0; count < kOctets;) count += peer.read().size();
    peer.write(std::string(kOctets, 'y'));
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, policy());
  EXPECT_THAT(transport->description(), StartsWith("TLSv1.3 TLS_"));
  transport->send(std::string(kOctets, 'x'), later());
  EXPECT_EQ(receive_exactly(*transport, kOctets), std::string(kOctets, 'y'));
}

TEST_F(TlsTransport, SendingToAServerThatReadsNothingEndsAtTheDeadline) {
  std::promise<void> done;
  TestServer server([&](Peer& peer) {
    EXPECT_TRUE(peer.start_tls(identity_));
    done.get_future().wait();
  });
  const auto transport = connect_to(server, kHost, policy());
  const std::string much(64U << 20U, 'x');
  EXPECT_EQ(error_of([&] { transport->send(much, soon()); }).code(), ErrorCode::timeout);
  done.set_value();
}

TEST_F(TlsTransport, CloseNotifyIsTheEnd) {
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_));
    peer.write("+OK\r\n");
    peer.close_notify();
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, policy());
  EXPECT_EQ(receive_exactly(*transport, 5), "+OK\r\n");
  EXPECT_EQ(receive(*transport, later()), "");
  EXPECT_EQ(receive(*transport, later()), "");
}

TEST_F(TlsTransport, EndWithoutCloseNotifyIsATruncation) {
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_));
    peer.write("+OK\r\nhalf a mess");
    peer.close();
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, policy());
  EXPECT_EQ(receive_exactly(*transport, 16), "+OK\r\nhalf a mess");
  const Error error = error_of([&] { receive(*transport, later()); });
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), StartsWith("connection lost: the server closed TLS without notice (pop.example.org:"));
}

TEST_F(TlsTransport, EndWithoutCloseNotifyIsATruncationInTls12Too) {
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_, {.version_max = TLS1_2_VERSION}));
    peer.close();
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, policy());
  EXPECT_THAT(transport->description(), StartsWith("TLSv1.2 ECDHE"));
  EXPECT_THAT(error_of([&] { receive(*transport, later()); }).message(), HasSubstr("closed TLS without notice"));
}

TEST_F(TlsTransport, ResetIsAnErrorAndKillsNoProcess) {
  std::promise<void> ready;
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_));
    ready.get_future().wait();
    peer.reset();
  });
  const auto transport = connect_to(server, kHost, policy());
  ready.set_value();
  const Error error = error_of([&] { receive(*transport, later()); });
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("Connection reset by peer"));
  EXPECT_EQ(error_of([&] { transport->send("NOOP\r\n", later()); }).code(), ErrorCode::network);  // SIGPIPE without our care
}

TEST_F(TlsTransport, DecryptedOctetsCountAsWaitingAndSessionTicketsDoNot) {
  std::promise<void> tickets_sent;
  std::promise<void> looked;
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_));
    tickets_sent.set_value();
    looked.get_future().wait();
    peer.write("abc");
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, policy());
  tickets_sent.get_future().wait();
  EXPECT_FALSE(transport->input_waiting());
  looked.set_value();
  std::array<char, 1> octet{};
  EXPECT_EQ(transport->receive(octet, later()), 1U);
  EXPECT_TRUE(transport->input_waiting());
  EXPECT_EQ(receive_exactly(*transport, 2), "bc");
}

TEST_F(TlsTransport, StopWakesReceive) {
  TestServer server([&](Peer& peer) {
    ASSERT_TRUE(peer.start_tls(identity_));
    peer.wait_for_end();
  });
  const auto transport = connect_to(server, kHost, policy());
  std::promise<void> receiving;
  std::thread stopper([&] {
    receiving.get_future().wait();
    stop_source_.request_stop();
  });
  const Error error = error_of([&] {
    receiving.set_value();
    receive(*transport, later());
  });
  stopper.join();
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
}

// protocol.md 21
TEST_F(Handshake, OldVersionIsRefusedInPlainWords) {
  TestServer server([&](Peer& peer) { EXPECT_FALSE(peer.start_tls(identity_, {.version_max = TLS1_1_VERSION, .security_level = 0})); });
  const Error error = error_of([&] { connect_to(server, kHost, policy()); });
  EXPECT_EQ(error.code(), ErrorCode::tls_failed);
  EXPECT_THAT(error.message(), HasSubstr("the server offers no TLS 1.2 or newer"));
}

TEST_F(Handshake, MinimumVersionOfThePolicyCounts) {
  TestServer server([&](Peer& peer) { EXPECT_FALSE(peer.start_tls(identity_, {.version_max = TLS1_2_VERSION})); });
  TlsPolicy strict = policy();
  strict.version_min = TlsVersion::v1_3;
  const Error error = error_of([&] { connect_to(server, kHost, strict); });
  EXPECT_EQ(error.code(), ErrorCode::tls_failed);
  EXPECT_THAT(error.message(), HasSubstr("the server offers no TLS 1.3"));
}

TEST_F(Handshake, NoCipherInCommonIsSaid) {
  TestServer server([&](Peer& peer) {
    EXPECT_FALSE(peer.start_tls(identity_, {.version_max = TLS1_2_VERSION, .security_level = 0, .ciphers = "AECDH-AES128-SHA"}));
  });
  const Error error = error_of([&] { connect_to(server, kHost, policy()); });
  EXPECT_EQ(error.code(), ErrorCode::tls_failed);
  EXPECT_THAT(error.message(), HasSubstr("no cipher or key exchange in common"));
}

TEST_F(Handshake, WeakDiffieHellmanKeyIsSaidInPlainWords) {
  const Identity authority = issue({.common_name = "RSA Authority", .authority = true});
  const Identity identity = issue({.dns_names = {kHost}, .rsa_bits = 2048}, &authority);
  TestServer server([&](Peer& peer) {
    EXPECT_FALSE(
        peer.start_tls(identity, {.version_max = TLS1_2_VERSION, .security_level = 0, .ciphers = "DHE-RSA-AES128-GCM-SHA256", .weak_dh = true}));
  });
  const Error error = error_of([&] { connect_to(server, kHost, trusting(authority)); });
  EXPECT_EQ(error.code(), ErrorCode::tls_failed);
  EXPECT_THAT(error.message(), HasSubstr("the server's Diffie-Hellman key is too small to be safe"));
}

struct Banner {
  std::string octets;
  std::string language;
};

// protocol.md 22
TEST_F(Handshake, CleartextOnTheTlsPortIsRecognised) {
  for (const Banner& banner :
       {Banner{"+OK POP3 ready\r\n", "speaks cleartext POP3: \"+OK POP3 ready\""},
        Banner{"-ERR busy\x1b[2J\r\n", "speaks cleartext POP3: \"-ERR busy\\x1b[2J\""}, Banner{"* OK Gimap ready\r\n", "speaks cleartext IMAP"},
        Banner{"220 mx.example ESMTP\r\n", "speaks cleartext SMTP"}, Banner{"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP"},
        Banner{"SSH-2.0-OpenSSH_9.2\r\n", "speaks SSH"}, Banner{"\x80\x81\x82\x83\x84\x85\x86", "speaks no TLS: \"\\x80"}}) {
    TestServer server([&](Peer& peer) {
      peer.write(banner.octets);
      peer.wait_for_end();
    });
    const Error error = error_of([&] { connect_to(server, kHost, policy()); });
    EXPECT_EQ(error.code(), ErrorCode::tls_failed) << error.what();
    EXPECT_THAT(error.message(), AllOf(StartsWith("port " + std::to_string(server.port())), HasSubstr(banner.language)));
    if (banner.language.find("POP3") != std::string::npos) {
      EXPECT_THAT(error.hint(), HasSubstr("use tls = \"starttls\""));
    }
  }
}

// protocol.md 26
TEST_F(Handshake, EndInItIsALostConnection) {
  TestServer server([](Peer& peer) { peer.read(); });
  const Error error = error_of([&] { connect_to(server, kHost, policy()); });
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("during the TLS handshake"));
}

// protocol.md 17
TEST_F(Handshake, SilenceEndsAtTheDeadline) {
  options_.tls_timeout = std::chrono::milliseconds(50);
  TestServer server([](Peer& peer) { peer.wait_for_end(); });
  const Error error = error_of([&] { connect_to(server, kHost, policy()); });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.message(), HasSubstr("the TLS handshake"));
}

TEST_F(Handshake, StopWakesIt) {
  TestServer server([&](Peer& peer) {
    peer.read();  // the ClientHello: the client waits now
    stop_source_.request_stop();
    peer.wait_for_end();
  });
  EXPECT_EQ(error_of([&] { connect_to(server, kHost, policy()); }).code(), ErrorCode::interrupted);
}

TEST_F(StartTls, SecuresTheConnection) {
  TestServer server([&](Peer& peer) {
    peer.write("+OK\r\n");
    ASSERT_TRUE(peer.start_tls(identity_));
    peer.write("secret");
    peer.wait_for_end();
  });
  TlsPolicy starttls = policy();
  starttls.mode = TlsMode::starttls;
  const auto transport = connect_to(server, kHost, starttls);
  EXPECT_EQ(receive_exactly(*transport, 5), "+OK\r\n");
  EXPECT_FALSE(transport->secure());
  transport->start_tls(later());
  EXPECT_TRUE(transport->secure());
  EXPECT_THAT(transport->description(), StartsWith("TLSv1.3"));
  EXPECT_EQ(receive_exactly(*transport, 6), "secret");
}

TEST_F(StartTls, OctetsBehindTheReplyAreAnAttack) {
  TestServer server([](Peer& peer) {
    peer.write("+OK Begin TLS\r\n+OK\r\nUSER\r\n.\r\n");
    EXPECT_EQ(peer.read(), "");  // not even a ClientHello
  });
  TlsPolicy starttls = policy();
  starttls.mode = TlsMode::starttls;
  auto transport = connect_to(server, kHost, starttls);
  std::array<char, 15> reply{};
  for (std::size_t count = 0; count < reply.size();) count += transport->receive(std::span(reply).subspan(count), later());
  const Error error = error_of([&] { transport->start_tls(later()); });
  EXPECT_EQ(error.code(), ErrorCode::desynchronised);
  EXPECT_THAT(error.message(), AllOf(StartsWith("octets after STLS"), HasSubstr("+OK\\x0d\\x0aUSER")));
  EXPECT_FALSE(transport->secure());
  transport.reset();
}

TEST_F(StartTls, RefusedCertificateLeavesItInsecure) {
  const Identity other = issue({.dns_names = {kHost}});
  TestServer server([&](Peer& peer) { EXPECT_FALSE(peer.start_tls(other)); });
  TlsPolicy starttls = policy();
  starttls.mode = TlsMode::starttls;
  const auto transport = connect_to(server, kHost, starttls);
  EXPECT_EQ(error_of([&] { transport->start_tls(later()); }).code(), ErrorCode::certificate);
  EXPECT_FALSE(transport->secure());
  EXPECT_EQ(transport->description(), "cleartext");
}

TEST_F(StartTls, StallEndsAtTheCallersDeadline) {
  TestServer server([](Peer& peer) { peer.wait_for_end(); });
  TlsPolicy starttls = policy();
  starttls.mode = TlsMode::starttls;
  const auto transport = connect_to(server, kHost, starttls);
  EXPECT_EQ(error_of([&] { transport->start_tls(soon()); }).code(), ErrorCode::timeout);
}

TEST_F(StartTls, CleartextInPlaceOfTheHandshakeIsRefused) {
  TestServer server([](Peer& peer) {
    peer.read();  // the ClientHello
    peer.write("-ERR unknown command\r\n");
    peer.wait_for_end();
  });
  TlsPolicy starttls = policy();
  starttls.mode = TlsMode::starttls;
  const auto transport = connect_to(server, kHost, starttls);
  const Error error = error_of([&] { transport->start_tls(later()); });
  EXPECT_EQ(error.code(), ErrorCode::tls_failed);
  EXPECT_THAT(error.message(), HasSubstr("agreed to STLS but then speaks no TLS: \"-ERR unknown command\""));
}

// protocol.md 25
TEST_F(Connect, DeadFirstAddressIsPassedOver) {
  TestServer server([](Peer& peer) {
    peer.write("+OK\r\n");
    peer.wait_for_end();
  });
  options_.lookup = [](const std::string&, std::uint16_t port) {
    return LookupResult{.addresses = {address_of("127.0.0.2", port), address_of("127.0.0.1", port)}};
  };
  const auto transport = connect_to(server, kHost, cleartext());
  EXPECT_EQ(receive_exactly(*transport, 5), "+OK\r\n");
}

TEST_F(Connect, RefusalByAllNamesEachAddressAndReason) {
  const UniqueFd reserved(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // bound but not listening
  const Address loopback = address_of("127.0.0.1", 0);
  ASSERT_EQ(::bind(reserved.get(), reinterpret_cast<const sockaddr*>(&loopback.storage), loopback.size), 0);
  const std::uint16_t port = port_of(reserved.get());
  options_.lookup = [](const std::string&, std::uint16_t wanted) {
    return LookupResult{.addresses = {address_of("127.0.0.1", wanted), address_of("127.0.0.2", wanted)}};
  };
  const Error error = error_of([&] { connect({.host = kHost, .port = port}, cleartext(), stop_, options_); });
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_EQ(error.message(),
            "cannot connect to pop.example.org:" + std::to_string(port) + ": 127.0.0.1: Connection refused; 127.0.0.2: Connection refused");
}

TEST_F(Connect, SilenceOfAllAddressesIsATimeout) {
  const UniqueFd listener = listen_on_loopback(0);
  const Address address = address_of("127.0.0.1", port_of(listener.get()));
  std::vector<UniqueFd> fillers;  // a full accept queue drops further SYNs
  bool full = false;
  while (!full && fillers.size() < 64) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    std::ignore = ::connect(fillers.back().get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    pollfd connected{fillers.back().get(), POLLOUT, 0};
    full = ::poll(&connected, 1, 200) == 0;
  }
  if (!full) GTEST_SKIP() << "this kernel accepts any number of connections beyond the backlog";
  options_.connect_timeout = std::chrono::milliseconds(100);
  const Error error = error_of([&] { connect({.host = kHost, .port = port_of(listener.get())}, cleartext(), stop_, options_); });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.message(), AllOf(StartsWith("cannot connect to pop.example.org:"), HasSubstr("127.0.0.1: no answer")));
}

TEST_F(Connect, StoppedBeforehandItDoesNothing) {
  TestServer server([](Peer&) { ADD_FAILURE() << "connected"; });
  stop_source_.request_stop();
  EXPECT_EQ(error_of([&] { connect_to(server, kHost, cleartext()); }).code(), ErrorCode::interrupted);
}

TEST_F(Connect, AddressOfTheSystemResolverWorks) {
  TestServer server([](Peer& peer) {
    peer.write("+OK\r\n");
    peer.wait_for_end();
  });
  const auto transport = connect({.host = "127.0.0.1", .port = server.port()}, cleartext(), stop_);
  EXPECT_EQ(receive_exactly(*transport, 5), "+OK\r\n");
}

}  // namespace
}  // namespace popsync::net
