// SPDX-License-Identifier: MIT
// The true POP3 server of the tests, correct: what RFC 1939, 2449, 2595 and 5034 ask of it.
#include "support/maildrop_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "base/digest.h"
#include "support/message_corpus.h"
#include "support/raw_client.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;

std::string plain_response(const std::string& user, const std::string& password) {
  const std::string octets = std::string("\0", 1) + user + std::string("\0", 1) + password;
  std::string text(octets.size() * 2 + 4, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(octets.data()),
                                     static_cast<int>(octets.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

TEST(MaildropServer, ListsAndRetrievesEveryAwkwardMessageByteForByte) {
  MaildropServer server;
  const std::vector<NamedMessage> messages = awkward_messages();
  for (const NamedMessage& message : messages) server.add(message.octets, message.name);
  const auto client = logged_in(server.port());
  client->ask("UIDL");
  const std::vector<std::string> listing = client->list();
  ASSERT_EQ(listing.size(), messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    SCOPED_TRACE(messages[i].name);
    EXPECT_EQ(listing[i], std::to_string(i + 1) + " " + messages[i].name);
    EXPECT_THAT(client->ask("RETR " + std::to_string(i + 1)), StartsWith("+OK"));
    EXPECT_TRUE(client->content() == octets_on_wire(messages[i].octets));
  }
}

TEST(MaildropServer, StatAndListCountWireOctetsWithoutStuffing) {
  MaildropServer server;
  server.add(".\r\nabc\r\n");  // 8
  server.add("abc");           // 5 with the CRLF it gets
  server.add("");
  const auto client = logged_in(server.port());
  EXPECT_EQ(client->ask("STAT"), "+OK 3 13");
  client->ask("LIST");
  EXPECT_THAT(client->list(), ElementsAre("1 8", "2 5", "3 0"));
  EXPECT_EQ(client->ask("LIST 2"), "+OK 2 5");
  EXPECT_EQ(client->ask("UIDL 2"), "+OK 2 uid2");
  EXPECT_THAT(client->ask("LIST 4"), StartsWith("-ERR"));
  EXPECT_THAT(client->ask("UIDL 0"), StartsWith("-ERR"));
}

TEST(MaildropServer, TopGivesHeaderAndLines) {
  MaildropServer server;
  server.add("A: b\r\n\r\n.one\r\ntwo\r\nthree\r\n");
  const auto client = logged_in(server.port());
  EXPECT_THAT(client->ask("TOP 1 2"), StartsWith("+OK"));
  EXPECT_EQ(client->content(), "A: b\r\n\r\n..one\r\ntwo\r\n.\r\n");
  EXPECT_THAT(client->ask("TOP 1 0"), StartsWith("+OK"));
  EXPECT_EQ(client->content(), "A: b\r\n\r\n.\r\n");
  EXPECT_THAT(client->ask("TOP 1"), StartsWith("-ERR"));
}

TEST(MaildropServer, DeleMarksAndQuitRemoves) {
  MaildropServer server;
  for (int i = 0; i < 3; ++i) server.add(small_message("m"));
  const auto client = logged_in(server.port());
  EXPECT_THAT(client->ask("DELE 2"), StartsWith("+OK"));
  EXPECT_THAT(client->ask("DELE 2"), StartsWith("-ERR"));
  EXPECT_THAT(client->ask("RETR 2"), StartsWith("-ERR"));
  client->ask("UIDL");
  EXPECT_THAT(client->list(), ElementsAre("1 uid1", "3 uid3"));
  EXPECT_EQ(server.count(), 3U) << "only marked before QUIT";
  EXPECT_THAT(client->ask("QUIT"), StartsWith("+OK"));
  EXPECT_THAT(server.uids(), ElementsAre("uid1", "uid3"));
  EXPECT_TRUE(server.record().was_removed("uid2"));
  EXPECT_EQ(server.record().removed.front().octets, small_message("m"));
  EXPECT_EQ(client->rest(), "");
}

TEST(MaildropServer, RsetForgetsTheMarks) {
  MaildropServer server;
  server.add(small_message("m"));
  const auto client = logged_in(server.port());
  client->ask("DELE 1");
  EXPECT_THAT(client->ask("RSET"), StartsWith("+OK"));
  client->ask("QUIT");
  EXPECT_EQ(server.count(), 1U);
}

TEST(MaildropServer, LostConnectionForgetsTheMarksAndFreesTheLock) {
  MaildropServer server;
  server.add(small_message("m"));
  for (int i = 0; i < 50; ++i) {
    const auto client = logged_in(server.port());  // throws if the lock of the session before were still held
    EXPECT_THAT(client->ask("DELE 1"), StartsWith("+OK"));
    client->close();
  }
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
  EXPECT_EQ(server.count(), 1U);
  EXPECT_TRUE(server.record().removed.empty());
}

TEST(MaildropServer, SecondSessionOnOneMaildropIsRefusedAsInUse) {
  MaildropServer server;
  server.add_user("bob", "b");
  const auto first = logged_in(server.port());
  RawClient second(server.port());
  second.line();
  second.ask("USER alice");
  EXPECT_THAT(second.ask("PASS open-sesame"), StartsWith("-ERR [IN-USE]"));
  EXPECT_EQ(server.record().in_use_refusals, 1U);
  EXPECT_THAT(logged_in(server.port(), "bob", "b")->ask("STAT"), StartsWith("+OK 0 0")) << "another maildrop is free";
  first->ask("QUIT");
  second.ask("USER alice");
  EXPECT_THAT(second.ask("PASS open-sesame"), StartsWith("+OK"));
}

TEST(MaildropServer, MessageAddedDuringASessionIsSeenInTheNext) {
  MaildropServer server;
  server.add(small_message("one"));
  const auto client = logged_in(server.port());
  server.add(small_message("two"));
  EXPECT_THAT(client->ask("STAT"), StartsWith("+OK 1 "));
  client->ask("QUIT");
  EXPECT_THAT(logged_in(server.port())->ask("STAT"), StartsWith("+OK 2 "));
}

TEST(MaildropServer, RekeyGivesNewUniqueIdsToTheNextSession) {
  MaildropServer server;
  server.add(small_message("one"));
  const auto client = logged_in(server.port());
  EXPECT_THAT(server.rekey(), ElementsAre("uid2"));
  EXPECT_EQ(client->ask("UIDL 1"), "+OK 1 uid1");
  client->ask("QUIT");
  EXPECT_EQ(logged_in(server.port())->ask("UIDL 1"), "+OK 1 uid2");
}

TEST(MaildropServer, WrongPasswordIsRefusedAndRemembered) {
  MaildropServer server;
  RawClient client(server.port());
  client.line();
  client.ask("USER alice");
  EXPECT_THAT(client.ask("PASS wrong"), StartsWith("-ERR [AUTH]"));
  EXPECT_THAT(client.ask("STAT"), StartsWith("-ERR"));
  const MaildropRecord record = server.record();
  ASSERT_EQ(record.credentials.size(), 1U);
  EXPECT_EQ(record.credentials.front().secret, "wrong");
  EXPECT_FALSE(record.credentials.front().accepted);
  EXPECT_TRUE(record.secret_in_clear());
}

TEST(MaildropServer, ApopTakesTheDigestOfTheGreetingsTimestamp) {
  MaildropServer server;
  RawClient client(server.port());
  const std::string greeting = client.line();
  const std::string timestamp = greeting.substr(greeting.find('<'));
  EXPECT_THAT(client.ask("APOP alice " + std::string(32, '0')), StartsWith("-ERR"));
  EXPECT_THAT(client.ask("APOP alice " + md5_hex(timestamp + MaildropServer::kPassword)), StartsWith("+OK"));
}

TEST(MaildropServer, AuthPlainWorksWithAndWithoutInitialResponse) {
  MaildropServer server;
  const std::string response = plain_response(MaildropServer::kUser, MaildropServer::kPassword);
  {
    RawClient client(server.port());
    client.line();
    EXPECT_THAT(client.ask("AUTH PLAIN " + response), StartsWith("+OK"));
    client.ask("QUIT");
  }
  RawClient client(server.port());
  client.line();
  EXPECT_EQ(client.ask("AUTH PLAIN"), "+ ");
  EXPECT_THAT(client.ask("*"), StartsWith("-ERR"));
  EXPECT_EQ(client.ask("AUTH PLAIN"), "+ ");
  EXPECT_THAT(client.ask("%%%%"), StartsWith("-ERR"));
  EXPECT_EQ(client.ask("AUTH PLAIN"), "+ ");
  EXPECT_THAT(client.ask(response), StartsWith("+OK"));
  EXPECT_EQ(server.record().credentials.back().mechanism, "PLAIN");
}

TEST(MaildropServer, StlsSecuresTheConnectionAndForgetsTheUser) {
  const TempFolder folder;
  const CertificateFiles certificate = CertificateAuthority(folder.path()).issue();
  MaildropServer server({.tls = ServerTls::stls, .certificate = certificate});
  RawClient client(server.port());
  client.line();
  client.ask("CAPA");
  EXPECT_THAT(client.list(), testing::Contains("STLS"));
  client.ask("USER alice");
  EXPECT_THAT(client.ask("STLS"), StartsWith("+OK"));
  client.start_tls(certificate.ca_file);
  client.ask("CAPA");
  EXPECT_THAT(client.list(), Not(testing::Contains("STLS")));
  EXPECT_THAT(client.ask("PASS open-sesame"), StartsWith("-ERR")) << "USER came before the handshake";
  client.ask("USER alice");
  EXPECT_THAT(client.ask("PASS open-sesame"), StartsWith("+OK"));
  EXPECT_FALSE(server.record().secret_in_clear());
  EXPECT_EQ(server.record().tls_handshakes, 1U);
}

TEST(MaildropServer, CommandsPipelinedBehindStlsInCleartextAreDropped) {
  const TempFolder folder;
  const CertificateFiles certificate = CertificateAuthority(folder.path()).issue();
  MaildropServer server({.tls = ServerTls::stls, .certificate = certificate});
  RawClient client(server.port());
  client.line();
  client.send("STLS\r\nUSER mallory\r\n");
  EXPECT_THAT(client.line(), StartsWith("+OK"));
  client.start_tls(certificate.ca_file);
  EXPECT_THAT(client.ask("NOOP"), StartsWith("-ERR"));
  EXPECT_EQ(server.record().count("USER"), 0U);
}

TEST(MaildropServer, ImplicitTlsServesLargeMessages) {
  const TempFolder folder;
  const CertificateFiles certificate = CertificateAuthority(folder.path()).issue();
  MaildropServer server({.tls = ServerTls::implicit, .certificate = certificate});
  const std::string message = "A: b\r\n\r\n" + std::string(5'000'000, 'x') + "\r\n";
  server.add(message);
  RawClient client(server.port());
  client.start_tls(certificate.ca_file);
  client.line();
  client.ask("USER alice");
  client.ask("PASS open-sesame");
  EXPECT_THAT(client.ask("RETR 1"), StartsWith("+OK"));
  EXPECT_TRUE(client.content() == octets_on_wire(message));
  EXPECT_THAT(client.ask("QUIT"), StartsWith("+OK"));
}

TEST(MaildropServer, PipelinedCommandsAreAnsweredInOrder) {
  MaildropServer server;
  constexpr int kMessages = 1000;
  for (int i = 1; i <= kMessages; ++i) server.add(small_message(std::to_string(i)));
  const auto client = logged_in(server.port());
  // 16 KiB of commands in one write, none of the replies read meanwhile.
  std::string commands;
  for (int i = 1; i <= kMessages; ++i) commands += "RETR " + std::to_string(i) + "\r\n";
  commands.resize(commands.rfind("\r\n", 16 * 1024) + 2);
  const auto sent = std::count(commands.begin(), commands.end(), '\n');
  ASSERT_GT(sent, 900);
  client->send(commands);
  for (int i = 1; i <= sent; ++i) {
    ASSERT_THAT(client->line(), StartsWith("+OK"));
    ASSERT_EQ(client->content(), octets_on_wire(small_message(std::to_string(i))));
  }
  EXPECT_GT(server.record().sent_ahead, 0U);
  EXPECT_EQ(server.record().retrieved.size(), static_cast<std::size_t>(sent));
}

TEST(MaildropServer, OneCommandAtATimeIsNotCountedAsSentAhead) {
  MaildropServer server;
  for (int i = 0; i < 100; ++i) server.add(small_message("m"));
  const auto client = logged_in(server.port());
  for (int i = 1; i <= 100; ++i) {
    client->ask("RETR " + std::to_string(i));
    client->content();
  }
  client->ask("QUIT");
  EXPECT_EQ(server.record().sent_ahead, 0U);
  EXPECT_EQ(server.record().count("RETR"), 100U);
  EXPECT_EQ(server.record().retrievals("uid7"), 1U);
}

TEST(MaildropServer, DestructorEndsOpenSessions) {
  std::unique_ptr<RawClient> client;
  {
    MaildropServer server;
    client = logged_in(server.port());
  }
  EXPECT_EQ(client->rest(), "");
}

TEST(MaildropServer, PortOfChoiceIsUsedAgainAfterTheServerIsGone) {
  std::uint16_t port = 0;
  {
    const MaildropServer server;
    port = server.port();
    RawClient client(port);
    client.line();
  }
  EXPECT_THROW(RawClient{port}, std::exception);
  const MaildropServer again({.port = port});
  EXPECT_EQ(again.port(), port);
}

}  // namespace
}  // namespace popsync::test
