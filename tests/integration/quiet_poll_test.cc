// SPDX-License-Identifier: MIT
// The opening of a session with a server that is known, and the poll that finds nothing new. protocol.md 16, 30, 42, 50, 54.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include "state/transaction.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;

struct QuietPoll : testing::Test {
  void SetUp() override {
    for (const char* uid : {"a", "b", "c"}) server.add(small_message(uid), uid);
  }
  sync::SyncReport sync() {
    server.clear_record();
    return popsync.sync();
  }
  void sync_well() {
    const sync::SyncReport report = sync();
    EXPECT_FALSE(report.error) << report.error->what();
    // QUIT is not awaited: the next look at the record must not come before it.
    EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
  }
  // What the client has said in the last sync.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const ReceivedCommand& command : server.record().commands) lines.push_back(command.line);
    return lines;
  }
  [[nodiscard]] bool listed_whole() const {
    const auto said = lines();
    return std::ranges::count(said, "UIDL") > 0;
  }
  [[nodiscard]] bool asked_capabilities() const { return server.record().count("CAPA") > 0; }
  [[nodiscard]] state::AccountRow account() { return popsync.store().accounts().at(0); }
  [[nodiscard]] std::vector<state::MessageRow> rows() { return popsync.store().messages(account().id); }

  MaildropServer server;
  SyncInProcess popsync{server};
};

// ---- round trips

TEST_F(QuietPoll, SendsLoginAndGlanceInOneWriteAndQuits) {
  sync_well();
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 2U);
}

TEST_F(QuietPoll, OfAnEmptyMaildropAsksForStatAlone) {
  for (const char* uid : {"a", "b", "c"}) server.remove(uid);
  sync_well();
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 1U);
}

TEST_F(QuietPoll, FirstSessionSendsNothingTogetherWithTheLogin) {
  sync_well();
  ASSERT_GE(lines().size(), 3U);
  EXPECT_EQ(lines()[0], "CAPA");
  EXPECT_THAT(lines()[1], StartsWith("AUTH PLAIN "));
  EXPECT_EQ(lines()[2], "UIDL");
}

TEST_F(QuietPoll, FirstListingAsksForTheMarkerTooAndTheWindowFollows) {
  sync_well();
  EXPECT_THAT(lines(), ElementsAre("CAPA", StartsWith("AUTH PLAIN "), "UIDL", "LIST", "UIDL 1", "RETR 1", "UIDL 1", "RETR 2", "UIDL 2", "RETR 3",
                                   "UIDL 3", "QUIT"));
  EXPECT_EQ(account().marker, "uidl");
}

TEST_F(QuietPoll, MarkerOfAServerThatDoesNotPipelineIsAskedForByItself) {
  server.change([](MaildropKnobs& knobs) { knobs.pipelining = false; });
  sync_well();
  EXPECT_EQ(server.record().sent_ahead, 0U);
  EXPECT_EQ(account().marker, "uidl");
}

TEST_F(QuietPoll, QuestionThatIsRefusedBesideTheListingLeadsToAnotherMarker) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "UIDL", .message = 1, .reply = "-ERR no"}}; });
  sync_well();
  EXPECT_EQ(account().marker, "list");
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
}

TEST_F(QuietPoll, EmptyMaildropTeachesNoMarker) {
  for (const char* uid : {"a", "b", "c"}) server.remove(uid);
  sync_well();
  EXPECT_EQ(account().marker, "");
}

// Once beside the listing, once by itself, then never.
TEST_F(QuietPoll, ServerThatHangsUpOnTheQuestionIsAskedTwice) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "UIDL", .message = 1, .close = true}}; });
  EXPECT_TRUE(sync().error);
  EXPECT_EQ(account().marker, "asked");
  EXPECT_TRUE(sync().error);
  sync_well();
  EXPECT_EQ(account().marker, "none");
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
}

// It may be more than the server bears in one write, and the answers to the listing went down with it; but it is no word about the question.
TEST_F(QuietPoll, ListingThatIsCutGoesWithoutTheQuestionNextTime) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "LIST", .close = true}}; });
  EXPECT_TRUE(sync().error);
  EXPECT_EQ(account().marker, "forgotten");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
  sync_well();
  EXPECT_THAT(lines(), ElementsAre("CAPA", StartsWith("AUTH PLAIN "), "UIDL", "LIST", "UIDL 1", "RETR 1", "UIDL 1", "RETR 2", "UIDL 2", "RETR 3",
                                   "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 6U);  // LIST, and what follows RETR 1
  EXPECT_EQ(account().marker, "uidl");
}

TEST_F(QuietPoll, ListingThatIsRefusedIsNoWordAboutTheQuestionBesideIt) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "LIST", .reply = "-ERR not now"}}; });
  EXPECT_TRUE(sync().error);
  EXPECT_EQ(account().marker, "forgotten");
}

// protocol.md 69
TEST_F(QuietPoll, AnswerOfManyLinesToTheQuestionBesideTheListingEndsOneSessionIfNothingIsToBeFetched) {
  sync_well();
  {
    state::AccountRow row = account();
    row.marker.clear();
    auto transaction = popsync.store().begin();
    transaction.update_account(row);
    transaction.remember_server(row.id, {});
    transaction.commit();
  }
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "UIDL", .message = 1, .reply = "+OK\r\n1 a\r\n2 b\r\n3 c\r\n."}}; });
  EXPECT_EQ(sync().error->code(), ErrorCode::desynchronised);
  sync_well();
}

TEST_F(QuietPoll, ServerThatPipelinesOnlyAfterLoginGetsTheLoginAlone) {
  server.change([](MaildropKnobs& knobs) {
    knobs.capabilities = {{"USER", "SASL PLAIN"}};
    knobs.capabilities_after_login = {{"UIDL", "TOP", "PIPELINING"}};
  });
  sync_well();
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 1U);  // UIDL behind STAT
}

TEST_F(QuietPoll, WithoutPipeliningNothingIsSentAhead) {
  server.change([](MaildropKnobs& knobs) { knobs.pipelining = false; });
  sync_well();
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 0U);
}

TEST_F(QuietPoll, UserAndPasswordLeaveTogetherToo) {
  server.change([](MaildropKnobs& knobs) { knobs.capabilities = {{"USER", "UIDL", "TOP", "PIPELINING"}}; });
  sync_well();
  sync_well();
  EXPECT_THAT(lines(), ElementsAre("USER alice", "PASS open-sesame", "STAT", "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 3U);
}

TEST_F(QuietPoll, ServerWithoutCapaIsNotAskedForItAgain) {
  server.change([](MaildropKnobs& knobs) { knobs.capa = false; });
  sync_well();
  sync_well();
  EXPECT_THAT(lines(), ElementsAre("USER alice", "PASS open-sesame", "STAT", "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 0U);
}

// protocol.md 28
TEST_F(QuietPoll, ServerThatHangsUpAtCapaIsOpenedWithoutItFromThenOn) {
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "CAPA", .close = true}}; });
  sync_well();
  EXPECT_EQ(server.record().sessions, 2U);
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
  sync_well();
  EXPECT_EQ(server.record().sessions, 1U);
  EXPECT_FALSE(asked_capabilities());
}

// ---- what has come

TEST_F(QuietPoll, NewMessagesAreListedAlone) {
  sync_well();
  server.add(small_message("d"), "d");
  server.add(small_message("e"), "e");
  sync_well();
  EXPECT_FALSE(listed_whole());
  EXPECT_THAT(lines(), Contains("LIST 5"));
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "UIDL 5", "QUIT"));
}

TEST_F(QuietPoll, NewMessagesAreDeletedAndThoseThatStayAreKnown) {
  sync_well();
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  sync_well();
  EXPECT_EQ(server.count(), 0U);
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "QUIT"));
  server.add(small_message("d"), "d");
  sync_well();
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 4U);
}

TEST_F(QuietPoll, APartialListingProvesNoAbsence) {
  sync_well();
  const state::AccountRow before = account();
  server.add(small_message("d"), "d");
  sync_well();
  ASSERT_FALSE(listed_whole());
  EXPECT_EQ(account().complete_listings, before.complete_listings);
  EXPECT_EQ(account().last_listing_count, before.last_listing_count);
  for (const state::MessageRow& row : rows()) EXPECT_FALSE(row.absent_since);
}

// ---- in doubt, the whole listing

struct Doubt {
  std::string what;
  std::function<void(MaildropServer&)> change;
  std::size_t stored;  // messages in the Maildir afterwards
};
void PrintTo(const Doubt& tested, std::ostream* out) { *out << tested.what; }

struct DoubtfulPoll : QuietPoll, testing::WithParamInterface<Doubt> {};

TEST_P(DoubtfulPoll, ListsTheMaildropWhole) {
  sync_well();
  GetParam().change(server);
  sync_well();
  EXPECT_TRUE(listed_whole());
  EXPECT_EQ(messages_in(popsync.maildir()).size(), GetParam().stored);
}

INSTANTIATE_TEST_SUITE_P(
    Changes, DoubtfulPoll,
    testing::Values(
        Doubt{"a message is gone", [](MaildropServer& server) { server.remove("a"); }, 3},
        Doubt{"the last message is gone", [](MaildropServer& server) { server.remove("c"); }, 3},
        Doubt{"one is gone and one has come",
              [](MaildropServer& server) {
                server.remove("a");
                server.add(small_message("d"), "d");
              },
              4},
        Doubt{"one is gone and two have come",
              [](MaildropServer& server) {
                server.remove("a");
                server.add(small_message("d"), "d");
                server.add(small_message("e"), "e");
              },
              5},
        Doubt{"a known unique-id comes again", [](MaildropServer& server) { server.add(small_message("other"), "a"); }, 4},
        Doubt{"a new unique-id comes twice",
              [](MaildropServer& server) {
                server.add(small_message("first"), "d");
                server.add(small_message("second"), "d");
              },
              5},
        Doubt{"all unique-ids are new", [](MaildropServer& server) { server.rekey(); }, 3},
        Doubt{"the maildrop looks empty", [](MaildropServer& server) { server.change([](MaildropKnobs& knobs) { knobs.empty_listing = true; }); }, 3},
        Doubt{"STAT has no octets", [](MaildropServer& server) { server.change([](MaildropKnobs& knobs) { knobs.stat_reply = "+OK 3"; }); }, 3},
        Doubt{"STAT is refused",
              [](MaildropServer& server) { server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "STAT", .reply = "-ERR no"}}; }); }, 3},
        Doubt{"the answer names another message",
              [](MaildropServer& server) {
                server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "UIDL", .nth = 1, .reply = "+OK 2 c"}}; });
              },
              3}),
    [](const auto& tested) { return "Case" + std::to_string(tested.index); });

TEST_F(QuietPoll, ListsWholeAndAsksForCapabilitiesAgainAfterADay) {
  sync_well();
  popsync.clock.advance(24h - 1s);
  sync_well();
  EXPECT_FALSE(listed_whole() || asked_capabilities());
  popsync.clock.advance(1s);
  sync_well();
  EXPECT_TRUE(listed_whole() && asked_capabilities());
}

TEST_F(QuietPoll, ListsWholeAfterAHundredLooks) {
  sync_well();
  std::size_t whole = 0;
  for (int poll = 0; poll < 101; ++poll) {
    popsync.clock.advance(1min);  // looks within a minute count as one
    sync_well();
    whole += listed_whole() ? 1U : 0U;
    EXPECT_EQ(listed_whole(), poll == 100) << poll;
  }
  EXPECT_EQ(whole, 1U);
}

TEST_F(QuietPoll, ListsWholeWhenAMessageHasComeOfAge) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove_after, .age = 1h}, "1h");
  sync_well();
  popsync.clock.advance(59min);
  sync_well();
  EXPECT_FALSE(listed_whole());
  popsync.clock.advance(1min);
  sync_well();
  EXPECT_TRUE(listed_whole());
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(QuietPoll, ListsWholeWhenARowWasTakenAway) {
  sync_well();
  const state::RowId second = rows()[1].id;
  {
    auto transaction = popsync.store().begin();
    transaction.erase_message(second);
    transaction.commit();
  }
  sync_well();
  EXPECT_TRUE(listed_whole());
  EXPECT_EQ(server.record().retrievals("b"), 1U);
}

TEST_F(QuietPoll, ListsWholeUnderAnotherLimit) {
  server.add(small_message("big", std::string(5000, 'x') + "\r\n"), "big");
  popsync.settings.max_message_size = 2000;
  sync_well();
  sync_well();
  EXPECT_FALSE(listed_whole());
  popsync.settings.max_message_size = 1U << 20U;
  sync_well();
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
}

TEST_F(QuietPoll, ListsWholeWhenADeletionIsNotConfirmed) {
  popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove");
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_before_commit; });
  sync_well();
  server.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::normal; });
  sync_well();
  EXPECT_TRUE(listed_whole());
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_in(popsync.maildir()).size(), 3U);
}

TEST_F(QuietPoll, ListsWholeAfterAFailedSession) {
  sync_well();
  server.add(small_message("d"), "d");
  server.change([](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 20, .message = "d"}; });
  EXPECT_TRUE(sync().error);
  server.change([](MaildropKnobs& knobs) { knobs.cut.reset(); });
  sync_well();
  EXPECT_TRUE(listed_whole() && asked_capabilities());
  EXPECT_EQ(messages_in(popsync.maildir()), as_stored(server.messages()));
}

// ---- logins that go wrong

struct Refusal {
  std::string answer;
  ErrorCode code;
};

TEST_F(QuietPoll, ARefusedLoginMeansTheSameWithCommandsBehindIt) {
  for (const bool closes : {false, true}) {
    for (const Refusal& refusal :
         {Refusal{"-ERR [AUTH] wrong", ErrorCode::login_refused}, Refusal{"-ERR wrong", ErrorCode::login_unclear},
          Refusal{"-ERR [IN-USE] locked", ErrorCode::in_use}, Refusal{"-ERR [SYS/TEMP] later", ErrorCode::server_temporary}}) {
      MaildropServer other;
      SyncInProcess syncs(other);
      EXPECT_FALSE(syncs.sync().error);
      other.change([&](MaildropKnobs& knobs) { knobs.faults = {{.verb = "AUTH", .reply = refusal.answer, .close = closes}}; });
      const auto report = syncs.sync();
      ASSERT_TRUE(report.error);
      EXPECT_EQ(report.error->code(), refusal.code) << refusal.answer << ": " << report.error->what();
      EXPECT_EQ(other.record().count("PASS"), 0U);
      other.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
      other.clear_record();
      EXPECT_FALSE(syncs.sync().error);
      EXPECT_GE(other.record().count("CAPA"), 1U);
    }
  }
}

TEST_F(QuietPoll, ALoginThatTheServerKnowsNoMoreIsSaidAsItAnnouncesNow) {
  sync_well();
  server.change([](MaildropKnobs& knobs) {
    knobs.faults = {{.verb = "AUTH", .reply = "-ERR unknown command"}};
    knobs.capabilities = {{"USER", "UIDL", "TOP"}};
  });
  sync_well();
  EXPECT_EQ(server.record().count("AUTH"), 1U);
  EXPECT_EQ(server.record().count("PASS"), 1U);
  sync_well();
  EXPECT_EQ(server.record().count("AUTH"), 0U);
}

TEST_F(QuietPoll, AWrongPasswordIsNotSaidTwice) {
  sync_well();
  server.add_user(MaildropServer::kUser, "another");
  EXPECT_EQ(sync().error->code(), ErrorCode::login_refused);
  EXPECT_EQ(server.record().credentials.size(), 1U);
}

TEST_F(QuietPoll, AServerThatFailsAtCommandsSentWithTheLoginGetsThemOneByOne) {
  sync_well();
  for (int failure = 0; failure < 2; ++failure) {
    server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "AUTH", .close = true}}; });
    EXPECT_EQ(sync().error->code(), ErrorCode::network);
    EXPECT_FALSE(asked_capabilities());
    server.change([](MaildropKnobs& knobs) { knobs.faults = {}; });
    sync_well();
  }
  sync_well();
  EXPECT_THAT(lines(), ElementsAre(StartsWith("AUTH PLAIN "), "STAT", "UIDL 3", "QUIT"));
  EXPECT_EQ(server.record().sent_ahead, 1U);  // UIDL behind STAT
}

// protocol.md 69: the whole list, where one line was asked for.
TEST_F(QuietPoll, AServerThatAnswersTheGlanceOutOfStepIsNotGlancedAtAgain) {
  sync_well();
  server.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {{3, "3 c\r\n4 d\r\n."}}; });
  EXPECT_EQ(sync().error->code(), ErrorCode::desynchronised);
  server.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {}; });
  for (int poll = 0; poll < 2; ++poll) {
    sync_well();
    EXPECT_TRUE(listed_whole());
  }
  server.add(small_message("d"), "d");  // with a message to retrieve, `UIDL n` is learnt anew
  sync_well();
  sync_well();
  EXPECT_FALSE(listed_whole());
}

// ---- TLS

struct SecurePoll : testing::Test {
  void serve(ServerTls tls, net::TlsMode mode, const CertificateSpec& spec = {}) {
    certificate = authority.issue("server", spec);
    server = std::make_unique<MaildropServer>(MaildropServerOptions{.tls = tls, .certificate = certificate});
    server->add(small_message("a"), "a");
    popsync = std::make_unique<SyncInProcess>(*server);
    secure(*popsync, mode);
  }
  void secure(SyncInProcess& syncs, net::TlsMode mode) const {
    syncs.settings.tls = {.mode = mode, .ca_file = certificate.ca_file};
    syncs.settings.login.tls = mode;
    syncs.settings.login.allow_insecure_auth = false;
  }
  void sync_well(SyncInProcess& syncs) {
    const sync::SyncReport report = syncs.sync();
    EXPECT_FALSE(report.error) << report.error->what();
    EXPECT_TRUE(server->wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
  }

  TempFolder folder{"certificates"};
  CertificateAuthority authority{folder.path()};
  CertificateFiles certificate;
  std::unique_ptr<MaildropServer> server;
  std::unique_ptr<SyncInProcess> popsync;
};

TEST_F(SecurePoll, StlsIsAlwaysSaidAndNothingButItInClear) {
  serve(ServerTls::stls, net::TlsMode::starttls);
  sync_well(*popsync);
  server->clear_record();
  sync_well(*popsync);
  const MaildropRecord record = server->record();
  ASSERT_EQ(record.commands.size(), 5U);
  EXPECT_EQ(record.commands[0].line, "STLS");
  for (const ReceivedCommand& command : record.commands) EXPECT_EQ(command.in_clear, command.line == "STLS") << command.line;
  EXPECT_EQ(record.commands[1].line.substr(0, 11), "AUTH PLAIN ");
}

TEST_F(SecurePoll, RememberedCapabilitiesDoNotTakeTheLoginPastARefusedStls) {
  serve(ServerTls::stls, net::TlsMode::starttls);
  sync_well(*popsync);
  server->clear_record();
  server->change([](MaildropKnobs& knobs) { knobs.stls = false; });
  const auto report = popsync->sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code(), ErrorCode::tls_failed);
  EXPECT_TRUE(server->record().credentials.empty());
}

TEST_F(SecurePoll, CapabilitiesOfOneKindOfConnectionAreNotUsedOnAnother) {
  serve(ServerTls::stls, net::TlsMode::starttls);
  sync_well(*popsync);
  server->clear_record();
  popsync->settings.tls.mode = popsync->settings.login.tls = net::TlsMode::none;
  EXPECT_EQ(popsync->sync().error->code(), ErrorCode::insecure_login);
  EXPECT_EQ(server->record().count("CAPA"), 1U);
  EXPECT_TRUE(server->record().credentials.empty());
}

TEST_F(SecurePoll, ResumesTheSessionOfItsAccountAndOfNoOther) {
  serve(ServerTls::implicit, net::TlsMode::implicit);
  net::TlsMemory memory;
  popsync->tls = &memory;
  sync_well(*popsync);
  EXPECT_EQ(server->record().tls_resumed, 0U);
  sync_well(*popsync);
  EXPECT_EQ(server->record().tls_resumed, 1U);
  sync_well(*popsync);
  EXPECT_EQ(server->record().tls_resumed, 2U);
  SyncInProcess other(*server);
  secure(other, net::TlsMode::implicit);
  sync_well(other);
  EXPECT_EQ(server->record().tls_resumed, 2U);
  EXPECT_EQ(server->record().tls_handshakes, 4U);
}

TEST_F(SecurePoll, ResumesBehindStlsToo) {
  serve(ServerTls::stls, net::TlsMode::starttls);
  net::TlsMemory memory;
  popsync->tls = &memory;
  sync_well(*popsync);
  sync_well(*popsync);
  EXPECT_EQ(server->record().tls_resumed, 1U);
}

TEST_F(SecurePoll, OtherPinsDropTheSession) {
  serve(ServerTls::implicit, net::TlsMode::implicit);
  net::TlsMemory memory;
  popsync->tls = &memory;
  sync_well(*popsync);
  popsync->settings.tls.trust = net::TlsTrust::ca_and_pin;
  popsync->settings.tls.pins_sha256 = {std::string(32, 'x')};
  EXPECT_EQ(popsync->sync().error->code(), ErrorCode::certificate);
  popsync->settings.tls.trust = net::TlsTrust::ca;
  popsync->settings.tls.pins_sha256 = {};
  sync_well(*popsync);
  EXPECT_EQ(server->record().tls_resumed, 0U);
  sync_well(*popsync);
  EXPECT_EQ(server->record().tls_resumed, 1U);
}

// The policy is the same text; what it means has changed.
TEST_F(SecurePoll, ACertificateThatIsNotTrustedAnyMoreIsNotResumed) {
  serve(ServerTls::implicit, net::TlsMode::implicit);
  net::TlsMemory memory;
  popsync->tls = &memory;
  sync_well(*popsync);
  TempFolder elsewhere("authority");
  const CertificateAuthority other(elsewhere.path());
  std::filesystem::copy_file(other.ca_file(), certificate.ca_file, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(popsync->sync().error->code(), ErrorCode::certificate);
  EXPECT_EQ(server->record().tls_resumed, 0U);
}

}  // namespace
}  // namespace popsync::test
