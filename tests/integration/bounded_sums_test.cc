// SPDX-License-Identifier: MIT
// What a server can make us keep, write and say has a bound in sum, not only for each part. Over it the session ends, and nothing is concluded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/connection.h"
#include "pop3/listing.h"
#include "support/failing_fs.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"
#include "sync/message_warnings.h"
#include "sync/pieces.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t lines_with(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

struct BoundedSums : testing::Test {
  void SetUp() override {
    server.add(small_message("one"), "a");
    configure({});
  }
  void configure(const std::vector<std::string>& more) { home.configure({.port = server.port(), .more = more}); }
  std::string status(const std::string& field) { return json_at(home.run({"status", "--json"}).out, "accounts[0]." + field); }

  MaildropServer server;
  ProgramHome home;
};

// Unique-ids of the greatest length in the place of the line of message 1: so many octets that one more unique-id is too much.
std::string flood_of_unique_ids() {
  const std::string uid(pop3::kUniqueIdOctetsMax, 'u');
  std::string lines = "1 a";
  for (std::size_t i = 0; i <= pop3::kListingUniqueIdOctetsMax / uid.size(); ++i) lines += "\r\n" + std::to_string(i + 2) + " " + uid;
  return lines;
}

TEST_F(BoundedSums, UniqueIdsOfTooManyOctetsEndTheSessionAndNothingIsConcluded) {
  ASSERT_EQ(home.run({"sync"}).status, 0);
  server.add(small_message("two"), "b");
  server.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {{1, flood_of_unique_ids()}}; });
  configure({"max_message_size = \"1MB\""});  // so that the maildrop is listed whole
  const ProgramResult flooded = home.run({"sync"});
  EXPECT_EQ(flooded.status, 76);
  EXPECT_THAT(flooded.err, HasSubstr("unique-ids of more than 70000000 octets"));
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(status("seen"), "1");
  server.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {}; });
  EXPECT_EQ(json_at(home.run({"sync", "home", "--json"}).out, "accounts[0].fetched"), "1");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

// In cleartext, before STLS: nobody is known yet.
TEST_F(BoundedSums, CapabilitiesOfTooManyOctetsEndTheSession) {
  std::vector<std::string> capabilities = {"USER", "UIDL", "TOP", "STLS"};
  for (std::size_t octets = 0; octets <= net::kCollectedListOctetsMax; octets += 500) capabilities.push_back("SASL " + std::string(495, 'X'));
  server.change([&](MaildropKnobs& knobs) { knobs.capabilities = capabilities; });
  home.configure({.port = server.port(), .tls = "starttls"});
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 76);
  EXPECT_THAT(result.err, HasSubstr("the server's list is longer than"));
  EXPECT_EQ(server.record().logins, 0U);
}

TEST_F(BoundedSums, MessagesSetAsideAreToldUpToABoundAndTheRestIsCounted) {
  constexpr std::size_t kMessages = 50;
  for (std::size_t i = 0; i < kMessages; ++i) server.add(small_message("big", std::string(3000, 'x') + "\r\n"), "big-" + std::to_string(i));
  configure({"max_message_size = \"2kB\""});
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(lines_with(result.err, "is held: larger than max_message_size"), sync::MessageWarnings::kToldMax);
  EXPECT_THAT(result.err, HasSubstr("30 messages more are over max_message_size and are held"));
  EXPECT_EQ(status("held[49].uid"), "big-49");
  const std::string text = home.run({"status"}).out;
  EXPECT_EQ(lines_with(text, "  held big-"), 20U);
  EXPECT_THAT(text, HasSubstr("50 held"));
  EXPECT_THAT(text, HasSubstr("and 30 more; `popsync status home --json` names them"));
}

TEST_F(BoundedSums, AsManyMessagesAsAreToldNeedNoFurtherLine) {
  for (std::size_t i = 0; i < sync::MessageWarnings::kToldMax; ++i) {
    server.add(small_message("big", std::string(3000, 'x') + "\r\n"), "big-" + std::to_string(i));
  }
  configure({"max_message_size = \"2kB\""});
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(lines_with(result.err, "is held: larger than max_message_size"), sync::MessageWarnings::kToldMax);
  EXPECT_THAT(result.err, Not(HasSubstr("more")));
  EXPECT_THAT(home.run({"status"}).out, Not(HasSubstr("more")));
}

TEST_F(BoundedSums, WarningsOfShortMessagesAreBoundedToo) {
  for (std::size_t i = 0; i < 24; ++i) server.add(small_message("short"), "short-" + std::to_string(i));
  server.change([](MaildropKnobs& knobs) { knobs.list_size = [](std::uint64_t size) { return std::to_string(size * 2); }; });
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(lines_with(result.err, "it is stored and stays on the server"), sync::MessageWarnings::kToldMax);
  EXPECT_THAT(result.err, HasSubstr("5 messages more have fewer octets than the server listed"));
}

// A disk that is full once so many messages are held.
class FillingDisk : public ForwardingFs {
 public:
  std::function<bool()> full = [] { return false; };
  std::uint64_t free_octets(int dir) override { return full() ? 0 : real_fs().free_octets(dir); }
};

TEST(BoundedTransactions, DiskIsLookedAtBetweenThemAndWhatWasWrittenStays) {
  constexpr std::uint64_t kMessages = 2 * sync::kChangesOfAPieceMax + 500;
  MaildropServer server;
  std::string lines = "1 u1";
  for (std::uint64_t i = 2; i <= kMessages; ++i) lines += "\r\n" + std::to_string(i) + " u" + std::to_string(i);
  std::string sizes = "1 1000000";
  for (std::uint64_t i = 2; i <= kMessages; ++i) sizes += "\r\n" + std::to_string(i) + " 1000000";
  server.add(small_message("one"), "u1");
  server.change([&](MaildropKnobs& knobs) {
    knobs.pipelining = false;  // else UIDL 1 would be asked beside UIDL, and answered like it
    knobs.uidl_lines = {{1, lines}};
    knobs.list_lines = {{1, sizes}};
  });
  SyncInProcess popsync(server);
  FillingDisk disk;
  popsync.fs = &disk;
  popsync.settings.max_message_size = 1000;
  popsync.settings.min_free_space = 1;
  const auto held = [&] { return popsync.store().held_count(popsync.store().accounts().at(0).id); };
  disk.full = [&] { return !popsync.store().accounts().empty() && held() >= sync::kChangesOfAPieceMax; };
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error);
  EXPECT_EQ(report.error->code(), ErrorCode::disk_full);
  EXPECT_EQ(held(), sync::kChangesOfAPieceMax);
  disk.full = [] { return false; };
  EXPECT_FALSE(popsync.sync().error);
  EXPECT_EQ(held(), kMessages);
}

}  // namespace
}  // namespace popsync::test
