// SPDX-License-Identifier: MIT
// The program where no file may grow beyond a limit (ulimit -f, LimitFSIZE=). The kernel's signal for that, SIGXFSZ, ends a process that does not ask
// for the error instead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/thoroughness.h"
#include "sync/account_settings.h"

namespace popsync::test {
namespace {

using sync::kSmallFileOctets;
using testing::HasSubstr;

constexpr std::uint64_t kRoom = 256U << 10U;  // for the state, and for small messages

std::string message_of(const std::string& subject, std::size_t octets) { return small_message(subject, std::string(octets, 'x') + "\r\n"); }

struct FileSizeLimit : testing::Test {
  void SetUp() override {
    server.add(small_message("one"), "uid-one");
    server.add(message_of("big", 2 * kSmallFileOctets), "uid-big");
    server.add(small_message("three"), "uid-three");
    home.configure({.port = server.port(), .more = {"leave_on_server = false", "min_free_space = \"0B\""}});
  }
  void configure_mbox() const {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                        "\nuser = \"alice\"\npassword = \"open-sesame\"\ntls = \"none\"\nallow_insecure_auth = true\nleave_on_server = false\n"
                        "min_free_space = \"0B\"\nmbox = \"" +
                        mbox + "\"\n");
  }
  [[nodiscard]] ProgramCall limited(std::uint64_t octets, std::vector<std::string> arguments) const {
    ProgramCall call = home.call(std::move(arguments));
    call.program = "prlimit";
    call.arguments.insert(call.arguments.begin(), {"--fsize=" + std::to_string(octets), built_program()});
    return call;
  }
  [[nodiscard]] ProgramResult sync(std::uint64_t octets) const { return run_program(limited(octets, {"sync"})); }
  [[nodiscard]] std::string status(const std::string& field) const { return json_at(home.run({"status", "--json"}).out, "accounts[0]." + field); }
  void expect_the_small_ones_here() const {
    EXPECT_EQ(messages_in(home.maildir()), as_stored({small_message("one"), small_message("three")}));
    EXPECT_EQ(server.uids(), std::vector<std::string>{"uid-big"});
  }

  MaildropServer server;
  ProgramHome home;
  std::string mbox = home.folder() / "mbox";
};

TEST_F(FileSizeLimit, LargerMessagesAreHeldAndTheOthersCome) {
  const ProgramResult result = sync(kSmallFileOctets);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("no file may grow beyond 1.0 MB here"));
  expect_the_small_ones_here();
  EXPECT_EQ(server.record().retrievals("uid-big"), 0U);
  EXPECT_EQ(status("held[0].uid"), "uid-big");
  EXPECT_THAT(status("held[0].reason"), HasSubstr("the files that this process may write (1.0 MB)"));
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(server.count(), 0U) << "without the limit it is fetched by itself";
  EXPECT_EQ(messages_in(home.maildir()).size(), 3U);
}

// Quoting makes the entry of an mbox longer than the message was on the wire, so the file meets its limit first.
TEST_F(FileSizeLimit, AMessageThatFitsOnlyOnTheWireIsHeld) {
  configure_mbox();
  server.remove("uid-big");
  std::string quoted;
  while (quoted.size() < kSmallFileOctets - 2000) quoted += "From me\n";
  server.add(small_message("quoted", quoted + "\r\n"), "uid-quoted");
  const ProgramResult first = sync(kSmallFileOctets);
  EXPECT_EQ(first.status, 75) << first.err;
  EXPECT_THAT(first.err, HasSubstr("does not fit into a file here"));
  EXPECT_EQ(sync(kSmallFileOctets).status, 0);
  EXPECT_EQ(status("held[0].uid"), "uid-quoted");
  EXPECT_THAT(status("held[0].reason"), HasSubstr("File too large"));
  EXPECT_EQ(server.uids(), std::vector<std::string>{"uid-quoted"});
  EXPECT_EQ(home.run({"retry", "home", "uid-quoted"}).status, 0);
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(FileSizeLimit, WhereHardlyAnyFileFitsItIsAFullDisk) {
  const ProgramResult result = sync(kSmallFileOctets - 1);
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_EQ(status("last_error.code"), "disk_full");
  EXPECT_EQ(status("held"), "[]");
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()).size(), 3U);
}

// From no octet at all up to where the state has room: each time a full disk, nothing lost, nothing twice.
TEST_F(FileSizeLimit, TheStateThatMayNotGrowIsAFullDiskAndGoesOnLater) {
  server.remove("uid-big");
  for (int i = 0; i < 40; ++i) server.add(small_message("more " + std::to_string(i)));
  const std::vector<std::string> all = server.messages();
  for (const std::uint64_t limit : {0U, 100U, 4096U, 20'000U, 40'000U, 60'000U, 80'000U, 100'000U, 120'000U}) {
    if (kSanitized && limit == 0) continue;  // ThreadSanitizer writes a file before the program begins
    const ProgramResult result = sync(limit);
    EXPECT_THAT(result.status, testing::AnyOf(75, 0)) << limit << ": " << result.err;
    EXPECT_TRUE(result.status == 0 || limit < kRoom) << limit;
    if (limit < 40'000U) {
      EXPECT_EQ(result.status, 75) << limit << ": " << result.err;
      EXPECT_THAT(result.err, HasSubstr("File too large")) << limit;
    }
  }
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()), as_stored(all));
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(FileSizeLimit, AnMboxThatMayNotGrowIsLeftAsItWas) {
  server.remove("uid-big");
  configure_mbox();
  ASSERT_EQ(home.run({"sync"}).status, 0);
  for (int i = 0; i < 12; ++i) server.add(message_of("longer " + std::to_string(i), 100'000));
  ASSERT_EQ(sync(kSmallFileOctets).status, 75);
  const std::string after_failure = content_of(mbox);
  EXPECT_LE(after_failure.size(), kSmallFileOctets);
  EXPECT_EQ(server.count(), 12U) << "nothing is deleted that is not here";
  ASSERT_EQ(sync(kSmallFileOctets).status, 75);
  EXPECT_EQ(content_of(mbox), after_failure);
  ASSERT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(server.count(), 0U);
  std::size_t entries = 0;
  const std::string whole = content_of(mbox);
  for (auto at = whole.find("\nX-Popsync-Id: "); at != std::string::npos; at = whole.find("\nX-Popsync-Id: ", at + 1)) ++entries;
  EXPECT_EQ(entries, 14U);
}

TEST_F(FileSizeLimit, TheDaemonAndItsOtherAccountsGoOn) {
  server.add_user("bob", MaildropServer::kPassword);
  server.add_to("bob", small_message("for bob"));
  const std::vector<std::string> keys = {"interval = \"1h\"", "leave_on_server = false", "min_free_space = \"0B\""};
  home.configure_all({{.name = "alice", .port = server.port(), .more = keys}, {.name = "bob", .port = server.port(), .user = "bob", .more = keys}});
  const auto daemon = std::make_unique<ProgramRun>(limited(kSmallFileOctets - 1, {"run"}));
  ASSERT_TRUE(daemon->wait_for_err("File too large"));
  EXPECT_TRUE(server.wait_for([&](const MaildropRecord& record) { return record.removed.size() == 1; })) << daemon->err();
  EXPECT_EQ(messages_in(home.maildir("bob")), as_stored({small_message("for bob")}));
  EXPECT_EQ(server.count(), 3U);
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
}

// Bits 12 and 24: SIGPIPE and SIGXFSZ.
TEST_F(FileSizeLimit, PasswordCommandHasTheSignalsAsTheyWere) {
  home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                      "\nuser = \"alice\"\ntls = \"none\"\nallow_insecure_auth = true\nmaildir = \"" + home.maildir() +
                      "\"\npassword_command = [\"sh\", \"-c\", \"set -- $(grep SigIgn /proc/self/status); "
                      "[ $((0x$2 & 0x1001000)) = 0 ] && echo open-sesame || echo \\\"ignored: $2\\\" >&2\"]\n");
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 0) << result.err;
}

}  // namespace
}  // namespace popsync::test
