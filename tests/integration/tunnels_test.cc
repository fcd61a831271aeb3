// SPDX-License-Identifier: MIT
// Two servers behind tunnels: one host and one user for both, and only the port tells which is which.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Servers that number from 1: their unique-ids are the same, and their messages are of equal size.
struct Tunnels : testing::Test {
  void SetUp() override {
    for (int i = 1; i <= 3; ++i) {
      east.add(small_message("in the east " + std::to_string(i)), std::to_string(i));
      west.add(small_message("in the west " + std::to_string(i)), std::to_string(i));
    }
    configure({tunnel("east", east), tunnel("west", west)});
  }
  [[nodiscard]] AccountText tunnel(const std::string& name, const MaildropServer& server, const std::string& mail = "") const {
    return {.name = name, .port = server.port(), .maildir = mail.empty() ? home.maildir(name) : home.maildir(mail)};
  }
  void configure(const std::vector<AccountText>& accounts) { home.configure_all(accounts); }
  std::string fetched(const std::string& account) {
    const ProgramResult result = home.run({"sync", account, "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json_at(result.out, "accounts[0].fetched");
  }
  void expect_all_once() {
    EXPECT_EQ(messages_in(home.maildir("east")), as_stored(east.messages()));
    EXPECT_EQ(messages_in(home.maildir("west")), as_stored(west.messages()));
  }

  MaildropServer east;
  MaildropServer west;
  ProgramHome home;
};

TEST_F(Tunnels, AreTwoAccountsWithOneWarning) {
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("both read user \"alice\" at 127.0.0.1, on different ports"), Not(HasSubstr("error"))));
  expect_all_once();
  EXPECT_EQ(fetched("east"), "0");
  EXPECT_EQ(fetched("west"), "0");
}

TEST_F(Tunnels, OneOfWhichIsRenamedKeepsItsStateAndTheOtherToo) {
  EXPECT_EQ(home.run({"sync"}).status, 0);
  configure({tunnel("east", east), tunnel("occident", west, "west")});
  EXPECT_EQ(fetched("occident"), "0");
  EXPECT_EQ(fetched("east"), "0");
  configure({tunnel("orient", east, "east"), tunnel("occident", west, "west")});
  EXPECT_EQ(fetched("occident"), "0");
  EXPECT_EQ(fetched("orient"), "0");
  expect_all_once();
}

TEST_F(Tunnels, BothOfWhichAreRenamedAtOnceKeepTheirStates) {
  EXPECT_EQ(home.run({"sync"}).status, 0);
  configure({tunnel("occident", west, "west"), tunnel("orient", east, "east")});
  EXPECT_EQ(fetched("occident"), "0");
  EXPECT_EQ(fetched("orient"), "0");
  expect_all_once();
}

TEST_F(Tunnels, ANewOneDoesNotTakeOverARenamedOne) {
  configure({tunnel("west", west)});
  EXPECT_EQ(fetched("west"), "3");
  configure({tunnel("east", east), tunnel("occident", west, "west")});
  EXPECT_EQ(fetched("east"), "3");
  EXPECT_EQ(fetched("occident"), "0");
  expect_all_once();
}

TEST_F(Tunnels, AnAccountAloneMayChangeNameAndPort) {
  configure({tunnel("east", east)});
  EXPECT_EQ(fetched("east"), "3");
  MaildropServer moved;
  for (int i = 1; i <= 3; ++i) moved.add(small_message("in the east " + std::to_string(i)), std::to_string(i));
  configure({tunnel("east", moved)});
  EXPECT_EQ(fetched("east"), "0");
  configure({tunnel("orient", east, "east")});
  EXPECT_EQ(fetched("orient"), "0");
}

TEST_F(Tunnels, AreLearntAgainEachFromItsOwnMaildir) {
  EXPECT_EQ(home.run({"sync"}).status, 0);
  std::filesystem::remove_all(home.state_dir());
  EXPECT_EQ(fetched("west"), "0");
  EXPECT_EQ(fetched("east"), "0");
  expect_all_once();
}

// One Maildir for both, whose id file remembers two accounts with one user and host.
TEST_F(Tunnels, IntoOneMaildirAreLearntAgainByTheirPorts) {
  configure({tunnel("east", east, "both"), tunnel("west", west, "both")});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  std::filesystem::remove_all(home.state_dir());
  configure({tunnel("occident", west, "both"), tunnel("orient", east, "both")});
  EXPECT_EQ(fetched("occident"), "0");
  EXPECT_EQ(fetched("orient"), "0");
  EXPECT_EQ(messages_in(home.maildir("both")).size(), 6U);
}

TEST_F(Tunnels, ThatLeadToOnePortAreAMistake) {
  configure({tunnel("east", east), tunnel("again", east)});
  EXPECT_EQ(home.run({"sync"}).status, 78);
}

}  // namespace
}  // namespace popsync::test
