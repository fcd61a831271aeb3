// SPDX-License-Identifier: MIT
#include "support/scripted_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/raw_client.h"
#include "support/temp_folder.h"

namespace popsync::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ScriptedServer, PlaysADialogueAndAcceptsTheRightClient) {
  const ScriptedServer server(
      "# a comment\n"
      "S: +OK ready\n"
      "C: CAPA\n"
      "S- -ERR \\x41\\t\\\\\\r\\n\n"
      "C* USER *\n"
      "S: +OK\n"
      "C*\n"
      "S- +OK no line end\n"
      "close\n");
  RawClient client(server.port());
  EXPECT_EQ(client.line(), "+OK ready");
  EXPECT_EQ(client.ask("CAPA"), "-ERR A\t\\");
  EXPECT_EQ(client.ask("USER alice"), "+OK");
  client.send("anything\r\n");
  EXPECT_EQ(client.rest(), "+OK no line end");
  client.close();
  EXPECT_EQ(server.outcome(), "");
  EXPECT_THAT(server.received(), ElementsAre("CAPA", "USER alice", "anything"));
}

TEST(ScriptedServer, NamesTheLineWhereTheClientDeparts) {
  const ScriptedServer server("S: +OK\nC: CAPA\nS: -ERR\n");
  RawClient client(server.port());
  client.line();
  client.send("QUIT\r\n");
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(server.outcome(), "line 2: expected C: CAPA, got QUIT\\r\\n");
}

TEST(ScriptedServer, LineWithoutCarriageReturnIsADeparture) {
  const ScriptedServer server("S: +OK\nC: CAPA\n");
  RawClient client(server.port());
  client.line();
  client.send("CAPA\n");
  EXPECT_THAT(server.outcome(), HasSubstr("line 2"));
}

TEST(ScriptedServer, ClientThatLeavesEarlyIsADeparture) {
  const ScriptedServer server("S: +OK\nC: CAPA\n");
  {
    RawClient client(server.port());
    client.line();
  }
  EXPECT_EQ(server.outcome(), "line 2: expected C: CAPA, got the end of the connection");
}

TEST(ScriptedServer, ClientThatGoesOnAfterTheEndIsADeparture) {
  const ScriptedServer server("S: +OK\n");
  RawClient client(server.port());
  client.line();
  client.send("NOOP\r\n");
  EXPECT_EQ(server.outcome(), "end of the dialogue: expected the end of the connection, got NOOP\\r\\n");
}

TEST(ScriptedServer, SilenceForgivesEverything) {
  const ScriptedServer server("S: +OK\nsilence\n");
  {
    RawClient client(server.port());
    client.line();
    client.send("USER a\r\nPASS b\r\n");
  }
  EXPECT_EQ(server.outcome(), "");
}

TEST(ScriptedServer, ClientMayLeaveAFloodThatTheScriptEndsWith) {
  const ScriptedServer server(
      "S: +OK\nrepeat 100000\nS- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nsilence\n");
  {
    RawClient client(server.port());
    client.line();
  }
  EXPECT_EQ(server.outcome(), "");
}

TEST(ScriptedServer, DripsAndRepeats) {
  const ScriptedServer server("drip 0\nS: +OK slowly\ndrip off\nrepeat 3\nS: line\nreset\n");
  RawClient client(server.port());
  EXPECT_EQ(client.line(), "+OK slowly");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.line(), "line");
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(server.outcome(), "");
}

TEST(ScriptedServer, PlaysOneDialogueForEachConnectionThenRefuses) {
  const ScriptedServer server("connection\nS: +OK one\nC: CAPA\ndrop\nconnection\nS: +OK two\n");
  {
    RawClient client(server.port());
    EXPECT_EQ(client.line(), "+OK one");
    client.send("CAPA\r\n");
    EXPECT_EQ(client.rest(), "");
  }
  {
    RawClient client(server.port());
    EXPECT_EQ(client.line(), "+OK two");
    EXPECT_THROW(RawClient{server.port()}, std::exception);
  }
  EXPECT_EQ(server.outcome(), "");
}

TEST(ScriptedServer, SpeaksTlsBehindStlsAndFromTheStart) {
  const TempFolder folder;
  const CertificateFiles certificate = CertificateAuthority(folder.path()).issue();
  const ScriptedServer server("S: +OK\nC: STLS\nS: +OK\ntls\nC: NOOP\nS: +OK secure\nclose\nconnection\ntls\nS: +OK at once\ndrop\n", certificate);
  {
    RawClient client(server.port());
    client.line();
    client.ask("STLS");
    client.start_tls(certificate.ca_file);
    EXPECT_EQ(client.ask("NOOP"), "+OK secure");
    EXPECT_EQ(client.rest(), "");
  }
  {
    RawClient client(server.port());
    client.start_tls(certificate.ca_file);
    EXPECT_EQ(client.line(), "+OK at once");
    EXPECT_EQ(client.rest(), "");
  }
  EXPECT_EQ(server.outcome(), "");
}

TEST(ScriptedServer, DestructorEndsAnUnfinishedDialogue) {
  std::unique_ptr<RawClient> client;
  {
    const ScriptedServer server("S: +OK\nC: CAPA\n");
    client = std::make_unique<RawClient>(server.port());
    client->line();
    EXPECT_EQ(server.outcome(std::chrono::milliseconds(0)), "still at line 2");
  }
  EXPECT_EQ(client->rest(), "");
}

TEST(ScriptedServer, RefusesAMalformedScriptNamingTheLine) {
  for (const char* script :
       {"S: +OK\nX: y\n", "S: +OK\nS: \\q\n", "S: +OK\nS: \\x4\n", "S: +OK\nC* USER\n", "S: +OK\ndrip fast\n", "repeat 3\nC: QUIT\n"}) {
    SCOPED_TRACE(script);
    try {
      const ScriptedServer server(script);
      FAIL() << "accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr("line 2: "));
    }
  }
}

TEST(ScriptedServer, ReadsADialogueFile) {
  const TempFolder folder;
  const auto server = ScriptedServer::from_file(folder.write("one.dialog", "S: +OK from a file\nclose\n"));
  RawClient client(server->port());
  EXPECT_EQ(client.line(), "+OK from a file");
}

}  // namespace
}  // namespace popsync::test
