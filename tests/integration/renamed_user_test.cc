// SPDX-License-Identifier: MIT
// The provider gives a maildrop another login name: `popsync accept --user` compares it with what is stored before the rows go on under it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/clock.h"
#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kMessages = 5;

// All of one size, each with a Message-ID, on a server that numbers from 1.
std::string message(std::size_t number) { return message_with_id(std::to_string(1'000'000 + number), "Hello\r\n"); }

struct RenamedUser : testing::Test {
  RenamedUser() {
    server.add_user("bob", "open-sesame");
    for (std::size_t i = 1; i <= kMessages; ++i) server.add(message(i), std::to_string(i));
  }
  void configure(const std::string& user, const std::string& leave = "true", const std::string& password = "open-sesame") {
    home.configure({.port = server.port(), .user = user, .password = password, .more = {"leave_on_server = " + leave}});
  }
  void configure_mbox(const std::string& user) {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + user +
                        "\"\npassword = \"open-sesame\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + (home.folder() / "box") + "\"\n");
  }
  // As alice; what she has is here then.
  void fetch_as_alice() {
    configure("alice");
    ASSERT_EQ(fetched(), std::to_string(server.count()));
  }
  // Bob's maildrop is alice's.
  void rename_at_provider() {
    const auto uids = server.uids();
    const auto messages = server.messages();
    for (std::size_t i = 0; i < uids.size(); ++i) server.add_to("bob", messages[i], uids[i]);
  }
  // Bob is somebody else, whose mail has alice's unique-ids and sizes.
  void give_bob_his_own(std::size_t count = kMessages) {
    for (std::size_t i = 1; i <= count; ++i) server.add_to("bob", message(500'000 + i), std::to_string(i));
  }
  void fetched_as_alice_and_renamed(const std::string& leave = "true") {
    fetch_as_alice();
    rename_at_provider();
    configure("bob", leave);
    server.clear_record();
  }
  ProgramResult sync() { return home.run({"sync"}); }
  std::string fetched() {
    const ProgramResult result = home.run({"sync", "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json_at(result.out, "accounts[0].fetched");
  }
  ProgramResult accept() { return home.run({"accept", "home", "--user"}); }
  ProgramResult accept_at_terminal(const std::string& typed, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"accept", "home"});
    ProgramCall call = home.call(options);
    call.input = typed;
    call.input_on_terminal = true;
    return run_program(call);
  }
  [[nodiscard]] std::size_t here() const { return messages_in(home.maildir()).size(); }
  [[nodiscard]] std::size_t said(const std::string& verb) const { return server.record().count(verb); }
  void knob(const std::function<void(MaildropKnobs&)>& edit) { server.change(edit); }
  // Also not that its messages are in doubt.
  void expect_nothing_changed(std::size_t messages = kMessages) {
    EXPECT_EQ(sync().status, 78);
    EXPECT_EQ(here(), messages);
    configure("alice");
    server.clear_record();
    EXPECT_EQ(fetched(), "0");
    EXPECT_EQ(said("TOP") + said("RETR"), 0U);
  }
  void expect_refused(const std::string& why) {
    const std::size_t of_bob = server.count("bob");
    const ProgramResult result = accept();
    EXPECT_EQ(result.status, 78);
    EXPECT_THAT(result.err, AllOf(HasSubstr(why), HasSubstr("nothing was changed"), HasSubstr("`popsync rename home NEWNAME`")));
    EXPECT_EQ(said("DELE"), 0U);
    EXPECT_EQ(server.count("bob"), of_bob);
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(RenamedUser, StopsTheAccountAndEachCommandNamesTheWaysOn) {
  fetched_as_alice_and_renamed();
  const auto names_the_ways = AllOf(HasSubstr("was alice until now and is bob"), HasSubstr("`popsync accept home` (in a script with --user)"),
                                    HasSubstr("`popsync rename home NEWNAME`"), HasSubstr("`popsync forget home`"));
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"sync"}, {"check"}, {"sync", "--dry-run"}, {"status", "--exit-code"}, {"list", "home"}}) {
    const ProgramResult result = home.run(command);
    EXPECT_EQ(result.status, 78) << command.back();
    EXPECT_THAT(result.out + result.err, names_the_ways) << command.back();
  }
  const std::string status = home.run({"status", "--json"}).out;
  EXPECT_EQ(json_at(status, "accounts[0].state"), "needs_operator");
  EXPECT_EQ(json_at(status, "accounts[0].seen"), "5") << "what is stored of it is not gone";
  EXPECT_EQ(said("USER"), 0U);
}

TEST_F(RenamedUser, InAScriptTheReasonHasToBeNamed) {
  fetched_as_alice_and_renamed();
  const ProgramResult unnamed = home.run({"accept", "home"});
  EXPECT_EQ(unnamed.status, 64);
  EXPECT_THAT(unnamed.out, HasSubstr("5 messages known of it"));
  EXPECT_THAT(unnamed.err, AllOf(HasSubstr("asks on a terminal"), HasSubstr("--user")));
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 64);
  EXPECT_EQ(said("USER"), 0U);
  expect_nothing_changed();
}

TEST_F(RenamedUser, WhereNothingStoppedTheAccountTheOptionTakesNothing) {
  fetch_as_alice();
  EXPECT_EQ(accept().status, 64);
}

TEST_F(RenamedUser, TheSameMaildropIsTakenAndNothingComesTwice) {
  fetched_as_alice_and_renamed();
  const ProgramResult accepted = accept();
  EXPECT_EQ(accepted.status, 0) << accepted.err;
  EXPECT_THAT(accepted.out, AllOf(HasSubstr("5 messages on the server, 5 of them known"),
                                  HasSubstr("5 compared with what is stored, 5 of them equal"), HasSubstr("home: goes on as bob")));
  EXPECT_EQ(said("TOP"), 5U);
  EXPECT_EQ(said("RETR") + said("DELE"), 0U);
  server.add_to("bob", message(6), "6");
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages("bob")));
  EXPECT_EQ(accept().status, 64) << "nothing is left to accept";
}

TEST_F(RenamedUser, WhatIsDeletedLaterWasRecognisedBefore) {
  fetched_as_alice_and_renamed("false");
  EXPECT_EQ(accept().status, 0);
  // Behind the look: what the command saw is not what a later session may delete by.
  server.remove("3", "bob");
  server.add_to("bob", message(500'003), "3");
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(server.count("bob"), 0U);
  EXPECT_EQ(here(), kMessages + 1);
}

TEST_F(RenamedUser, WhatStaysOnTheServerIsRecognisedOnceMore) {
  fetched_as_alice_and_renamed();
  EXPECT_EQ(accept().status, 0);
  server.remove("3", "bob");
  server.add_to("bob", message(500'003), "3");
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(fetched(), "0");
}

TEST_F(RenamedUser, AnotherMaildropOfAServerThatNumbersFromOneIsRefused) {
  fetch_as_alice();
  give_bob_his_own();
  configure("bob", "false");
  server.clear_record();
  expect_refused("alice and bob have different maildrops");
  EXPECT_EQ(server.record().quits, 0U) << "what was read there was not ours";
  expect_nothing_changed();
}

TEST_F(RenamedUser, OneMessageOfTheSampleThatDiffersIsEnough) {
  constexpr std::size_t kMany = 150;
  for (std::size_t i = kMessages + 1; i <= kMany; ++i) server.add(message(i), std::to_string(i));
  fetched_as_alice_and_renamed();
  server.remove("150", "bob");
  server.add_to("bob", message(500'150), "150");
  expect_refused("message 150 is another one");
  EXPECT_LE(said("TOP"), 100U);
  expect_nothing_changed(kMany);
}

TEST_F(RenamedUser, OfManyMessagesASampleIsComparedAndTheOthersStayInDoubt) {
  constexpr std::size_t kMany = 250;
  for (std::size_t i = kMessages + 1; i <= kMany; ++i) server.add(message(i), std::to_string(i));
  fetched_as_alice_and_renamed();
  EXPECT_EQ(accept().status, 0);
  EXPECT_EQ(said("TOP"), 100U);
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(said("TOP"), 200U) << "a sample of its own";
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(said("TOP"), 200U);
  EXPECT_EQ(said("RETR"), 0U);
}

struct HeadersOfAServer : RenamedUser, testing::WithParamInterface<std::function<void(MaildropKnobs&)>> {};

TEST_P(HeadersOfAServer, ThatProveNothingAreMadeUpForByRetrieving) {
  fetched_as_alice_and_renamed();
  knob(GetParam());
  const ProgramResult accepted = accept();
  EXPECT_EQ(accepted.status, 0) << accepted.err;
  EXPECT_EQ(said("RETR"), 5U);
  server.set_knobs({});
  EXPECT_EQ(fetched(), "0");
}

TEST_P(HeadersOfAServer, ThatProveNothingDoNotMakeAnotherMaildropTheSame) {
  fetch_as_alice();
  give_bob_his_own();
  configure("bob");
  knob(GetParam());
  expect_refused("is another one");
}

INSTANTIATE_TEST_SUITE_P(
    Servers, HeadersOfAServer,
    testing::Values([](MaildropKnobs& knobs) { knobs.top = false; }, [](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .close = true}}; },
                    [](MaildropKnobs& knobs) { knobs.faults = {{.verb = "TOP", .reply = "-ERR no"}}; },
                    [](MaildropKnobs& knobs) { knobs.top_text = [](const std::string&) { return "Subject: [ad] altered\r\n\r\n"; }; }));

// As of any session; and always one message, or a large one would keep the question open for ever.
TEST(RetrievedToCompare, HasTheBoundOfASession) {
  MaildropServer server;
  for (std::size_t i = 1; i <= kMessages; ++i) server.add(small_message("without a Message-ID"), std::to_string(i));
  SyncInProcess home(server);
  ASSERT_EQ(home.sync().fetched, kMessages);
  const std::uint64_t size = server.messages().front().size();
  for (const auto& [octets, looked_at] : {std::pair{size * 2, 2U}, {size * 2 - 1, 1U}, {std::uint64_t{1}, 1U}, {size * kMessages, 5U}}) {
    home.confirm.octets = octets;
    const sync::MaildropComparison found = home.compare_maildrop();
    EXPECT_EQ(found.looked_at, looked_at) << octets;
    EXPECT_EQ(found.equal, looked_at) << octets;
    EXPECT_EQ(found.in_common, kMessages);
  }
}

struct Unclear : RenamedUser {
  void expect_asked(const std::string& why) {
    expect_refused(why);
    const ProgramResult no = accept_at_terminal("n\n", {"--user"});
    EXPECT_EQ(no.status, 0);
    EXPECT_THAT(no.out, AllOf(HasSubstr(why), Not(HasSubstr("goes on"))));
    EXPECT_THAT(no.err, HasSubstr("Go on all the same?"));
    EXPECT_EQ(sync().status, 78);
    const ProgramResult yes = accept_at_terminal("y\n", {"--user"});
    EXPECT_EQ(yes.status, 0) << yes.err;
    EXPECT_THAT(yes.out, HasSubstr("goes on as bob"));
  }
};

TEST_F(Unclear, AnEmptyMaildropShowsNothingAndIsAskedAbout) {
  fetch_as_alice();
  configure("bob", "false");
  expect_asked("the maildrop is empty");
  EXPECT_EQ(fetched(), "0");
  rename_at_provider();
  server.remove("2", "bob");
  server.add_to("bob", message(500'002), "2");
  EXPECT_EQ(fetched(), "1") << "nothing counts as known before it was recognised";
  EXPECT_EQ(server.count("bob"), 0U);
  EXPECT_EQ(here(), kMessages + 1);
}

TEST_F(Unclear, AMaildropWithNothingInCommonIsAskedAboutWithWhatWouldBeFetched) {
  fetch_as_alice();
  for (int i = 0; i < 3; ++i) server.add_to("bob", small_message("of bob " + std::to_string(i)), "bob-" + std::to_string(i));
  configure("bob");
  expect_asked("none of the 3 messages there is known by unique-id and size");
  EXPECT_THAT(accept_at_terminal("n\n").err, Not(HasSubstr("Go on"))) << "it is taken";
  EXPECT_EQ(fetched(), "3");
}

TEST_F(Unclear, MessagesThatWereOnlyMarkedAsKnownCannotBeCompared) {
  configure("alice");
  EXPECT_EQ(home.run({"seed", "home"}).status, 0);
  rename_at_provider();
  configure("bob", "false");
  expect_asked("what is known there cannot be recognised");
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(server.count("bob"), kMessages) << "what was never stored is never deleted";
}

TEST_F(Unclear, AServerThatGivesHardlyAnyOfItsMessagesProvesNothing) {
  fetched_as_alice_and_renamed();
  knob([](MaildropKnobs& knobs) {
    knobs.top = false;
    knobs.retr_max = 2;
  });
  expect_asked("the server gave only 2 of the 5 messages");
}

TEST_F(RenamedUser, AtATerminalItIsAskedBeforeItLogsIn) {
  fetched_as_alice_and_renamed();
  const ProgramResult no = accept_at_terminal("n\n");
  EXPECT_EQ(no.status, 0);
  EXPECT_THAT(no.err, HasSubstr("Is it the same maildrop under another login name?"));
  EXPECT_EQ(said("USER"), 0U);
  EXPECT_EQ(sync().status, 78);
  EXPECT_EQ(accept_at_terminal("y\n").status, 0);
  EXPECT_EQ(fetched(), "0");
}

TEST_F(RenamedUser, ALoginThatIsRefusedChangesNothing) {
  fetched_as_alice_and_renamed();
  configure("bob", "true", "a mistake");
  EXPECT_EQ(accept().status, 77);
  expect_nothing_changed();
}

TEST_F(RenamedUser, ASecondReasonStopsTheAccountAgain) {
  fetched_as_alice_and_renamed();
  fs::remove_all(home.maildir());
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 64) << "one after the other";
  EXPECT_EQ(accept().status, 0);
  EXPECT_EQ(sync().status, 73);
  EXPECT_EQ(home.run({"accept", "home", "--mailstore"}).status, 0);
  EXPECT_EQ(fetched(), "0");
}

TEST_F(RenamedUser, TheIdFileOfTheMaildirHasTheNewUser) {
  fetched_as_alice_and_renamed();
  EXPECT_EQ(accept().status, 0);
  fs::remove_all(home.state_dir());
  EXPECT_EQ(fetched(), "0") << "a lost state is known again by it";
}

TEST_F(RenamedUser, AnIdFileThatAKillLeftBehindFollowsAtTheNextSync) {
  fetched_as_alice_and_renamed();
  const std::string id_file = home.maildir() + "/tmp/.popsync/id";
  const std::string of_alice = content_of(id_file);
  EXPECT_EQ(accept().status, 0);
  EXPECT_NE(content_of(id_file), of_alice);
  std::ofstream(id_file, std::ios::binary) << of_alice;
  EXPECT_EQ(sync().status, 0);
  fs::remove_all(home.state_dir());
  EXPECT_EQ(fetched(), "0");
}

TEST_F(RenamedUser, TheIdFileFollowsAnotherHostToo) {
  fetch_as_alice();
  home.configure({.port = server.port(), .host = "localhost"});
  EXPECT_EQ(fetched(), "0");
  fs::remove_all(home.state_dir());
  EXPECT_EQ(fetched(), "0");
}

TEST_F(RenamedUser, AnAccountWithAnMboxIsTakenToo) {
  configure_mbox("alice");
  ASSERT_EQ(fetched(), "5");
  rename_at_provider();
  configure_mbox("bob");
  knob([](MaildropKnobs& knobs) { knobs.top = false; });
  EXPECT_EQ(accept().status, 0);
  EXPECT_EQ(fetched(), "0");
}

TEST_F(RenamedUser, WhatIsReadToCompareIsTakenBackWhereReadingIsFinal) {
  fetched_as_alice_and_renamed();
  home.configure({.port = server.port(), .user = "bob", .more = {"rset_before_quit = true"}});
  EXPECT_EQ(accept().status, 0);
  EXPECT_EQ(said("RSET"), 1U);
}

TEST_F(RenamedUser, AnAccountThatKnowsNothingTakesAnotherUserByItself) {
  configure("alcie");
  EXPECT_EQ(sync().status, 77);
  fetch_as_alice();
}

TEST_F(RenamedUser, ADaemonThatRunsIsToldAndTriesAtOnce) {
  fetched_as_alice_and_renamed();
  const NotifySocket manager{home.folder() / "notify"};
  ProgramCall call = home.call({"run"});
  call.environment["NOTIFY_SOCKET"] = manager.path();
  ProgramRun daemon(call);
  ASSERT_TRUE(daemon.wait_for_err("`popsync accept home`"));
  const auto state_becomes = [&](const std::string& state) {
    const SteadyTime deadline = system_clock().steady() + std::chrono::seconds(60);
    while (json_at(home.run({"status", "--json"}).out, "accounts[0].state") != state) {
      if (system_clock().steady() > deadline) return false;
    }
    return true;
  };
  ASSERT_TRUE(state_becomes("needs_operator"));
  EXPECT_EQ(accept().status, 0);
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.quits >= 2; }, std::chrono::seconds(60)));
  EXPECT_TRUE(state_becomes("ok"));
  EXPECT_EQ(here(), kMessages);
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait().status, 0);
}

}  // namespace
}  // namespace popsync::test
