// SPDX-License-Identifier: MIT
// Every dialogue of tests/dialogs is played to a sync, cut into segments in three ways: the result is what the file says, each time (protocol.md
// 112). Where the dialogue has no QUIT none may be said, and where it has no login nothing of the credential may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>

#include "state/transaction.h"
#include "support/dialogue.h"
#include "support/dialogue_file.h"
#include "support/program_home.h"
#include "support/scripted_server.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::vector<std::string> dialogue_names() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(POPSYNC_DIALOGS_DIR)) {
    if (entry.path().extension() == ".dialog") names.push_back(entry.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

template <typename Choice>
Choice chosen(const std::map<std::string, Choice>& choices, const std::string& word) {
  const auto found = choices.find(word);
  if (found == choices.end()) throw std::invalid_argument("no such setting: " + word);
  return found->second;
}

void apply(sync::AccountSettings& settings, const std::string& name, const std::string& value) {
  using auth::Method;
  using net::Pipelining;
  using net::TlsMode;
  if (name == "leave") {
    settings.leave.kind =
        chosen<sync::LeavePolicy::Kind>({{"keep", sync::LeavePolicy::Kind::keep}, {"remove", sync::LeavePolicy::Kind::remove}}, value);
    settings.leave_text = value;
  } else if (name == "auth") {
    settings.login.method =
        chosen<Method>({{"auto", Method::automatic}, {"user", Method::user}, {"plain", Method::plain}, {"apop", Method::apop}}, value);
  } else if (name == "tls") {
    settings.tls.mode = chosen<TlsMode>({{"none", TlsMode::none}, {"starttls", TlsMode::starttls}, {"implicit", TlsMode::implicit}}, value);
    settings.login.tls = settings.tls.mode;
    settings.login.allow_insecure_auth = settings.tls.mode == TlsMode::none;
  } else if (name == "pipelining") {
    settings.login.pipelining = chosen<Pipelining>({{"auto", Pipelining::automatic}, {"on", Pipelining::on}, {"off", Pipelining::off}}, value);
  } else if (name == "user") {
    settings.login.user = value;
  } else if (name == "max_message_size") {
    settings.max_message_size = std::stoull(value);
  } else if (name == "patience") {
    const std::chrono::milliseconds patience(std::stoul(value));
    settings.patience.greeting = settings.patience.reply = settings.patience.farewell = patience;
  } else if (name == "session") {
    settings.patience.session = std::chrono::milliseconds(std::stoul(value));
  } else {
    chosen<bool*>({{"rset_before_quit", &settings.rset_before_quit}, {"skip_first_message", &settings.skip_first_message}}, name)[0] = true;
  }
}

// One certificate for all: what a server sends is the matter here, not who it is.
const CertificateFiles& certificate() {
  static const TempFolder folder("certificates");
  static const CertificateFiles files = CertificateAuthority(folder.path()).issue();
  return files;
}

void expect_outcome(const sync::SyncReport& report, const ExpectedSync& expected) {
  const std::string error = report.error ? report.error->what() : "none";
  EXPECT_EQ(report.error ? std::optional(report.error->code()) : std::nullopt, expected.error) << error;
  if (report.error) {
    EXPECT_THAT(error, HasSubstr(expected.says));
  }
  EXPECT_EQ(report.fetched, expected.fetched);
  EXPECT_EQ(report.deleted, expected.deleted);
  EXPECT_EQ(report.held, expected.held);
}

void expect_stored(const std::string& maildir, std::vector<ExpectedMessage> expected) {
  for (const std::string& message : messages_in(maildir)) {
    const auto found = std::ranges::find_if(expected, [&](const ExpectedMessage& each) { return each.matches(message); });
    if (found == expected.end()) {
      ADD_FAILURE() << "stored and not expected, " << message.size() << " octets: " << in_script_form(message.substr(0, 500));
    } else {
      expected.erase(found);
    }
  }
  for (const ExpectedMessage& each : expected) ADD_FAILURE() << "not stored: " << in_script_form(each.octets);
  EXPECT_TRUE(staged_in(maildir).empty());
}

void expect_no_word_too_many(const ScriptedServer& server, const DialogueFile& file) {
  const bool logs_in = file.expects("USER") || file.expects("AUTH") || file.expects("APOP");
  for (const std::string& line : server.received()) {
    if (!file.expects("QUIT")) {
      EXPECT_NE(line, "QUIT");
    }
    if (!logs_in) {
      EXPECT_THAT(line, testing::AllOf(Not(HasSubstr("alice")), Not(HasSubstr("open-sesame")), Not(StartsWith("AUTH"))));
    }
  }
}

// Each session of a dialogue is written as the first one; what is left out when a server is known is the matter of quiet_poll_test.cc.
void forget_server(SyncInProcess& popsync) {
  const auto accounts = popsync.store().accounts();
  auto transaction = popsync.store().begin();
  for (const state::AccountRow& account : accounts) transaction.remember_server(account.id, {});
  transaction.commit();
}

void play(const DialogueFile& file, Segments segments) {
  const ScriptedServer server(file.dialogue, certificate(), 0, segments);
  SyncInProcess popsync(server.port());
  popsync.settings.endpoint.host = "localhost";
  popsync.settings.tls.ca_file = certificate().ca_file;
  for (const auto& [name, value] : file.settings) apply(popsync.settings, name, value);
  for (const ExpectedSync& expected : file.syncs) {
    expect_outcome(popsync.sync(), expected);
    forget_server(popsync);
  }
  EXPECT_EQ(server.outcome(), "");
  expect_stored(popsync.maildir(), file.stored);
  expect_no_word_too_many(server, file);
}

struct Dialogs : testing::TestWithParam<std::string> {};

TEST_P(Dialogs, EndAsExpectedInAnySegmentation) {
  const DialogueFile file = read_dialogue_file(std::string(POPSYNC_DIALOGS_DIR) + "/" + GetParam() + ".dialog");
  std::vector<std::pair<std::string, Segments>> ways = {{"line by line", Segments::lines}};
  if (!file.as_written_only) ways.insert(ways.end(), {{"octet by octet", Segments::octets}, {"joined", Segments::joined}});
  std::vector<std::future<void>> played;  // side by side, because some wait for a time-out
  for (const auto& [name, segments] : ways) {
    played.push_back(std::async(std::launch::async, [&] {
      SCOPED_TRACE(name);
      play(file, segments);
    }));
  }
  for (std::future<void>& each : played) each.get();
}

INSTANTIATE_TEST_SUITE_P(Files, Dialogs, testing::ValuesIn(dialogue_names()), [](const auto& tested) { return "Case" + tested.param; });

TEST(DialogFiles, AreNamedByTheirNumbers) {
  const std::vector<std::string> names = dialogue_names();
  EXPECT_GE(names.size(), 60U);
  for (const std::string& name : names) EXPECT_THAT(name, testing::MatchesRegex("[0-9][0-9][0-9]_[a-z0-9_]+"));
}

}  // namespace
}  // namespace popsync::test
