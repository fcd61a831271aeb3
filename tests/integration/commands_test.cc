// SPDX-License-Identifier: MIT
// The commands beside sync: looking at the maildrop and the state, and changing what popsync knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "state/state_store.h"
#include "state/transaction.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Commands : testing::Test {
  void SetUp() override {
    server.add(small_message("one"), "uid-one");
    server.add(small_message("two", "line\r\n"), "uid two");
    configure({});
  }
  void configure(const std::vector<std::string>& more) { home.configure({.port = server.port(), .more = more}); }
  ProgramResult run(std::vector<std::string> arguments) {
    const std::string command = arguments.front();
    ProgramResult result = home.run(std::move(arguments));
    EXPECT_EQ(result.status, 0) << command << ": " << result.err;
    return result;
  }
  // What the server announces is remembered for a day.
  void forget_capabilities() const {
    const auto store = state::StateStore::open(home.state_dir());
    const auto accounts = store->accounts();
    auto transaction = store->begin();
    for (const state::AccountRow& account : accounts) transaction.remember_server(account.id, {});
    transaction.commit();
  }
  std::string fetched() { return json_at(home.run({"sync", "--json"}).out, "accounts[0].fetched"); }
  std::string state_in_list(int index) { return json_at(run({"list", "home", "--json"}).out, "messages[" + std::to_string(index) + "].state"); }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(Commands, ListTellsNewSeenHeldAndTooBig) {
  EXPECT_EQ(state_in_list(0), "new");
  run({"sync"});
  EXPECT_EQ(state_in_list(0), "seen");
  server.add(small_message("big", std::string(9000, 'x') + "\r\n"), "uid-big");
  server.add(small_message("bad"), "uid-bad");
  configure({"max_message_size = \"2kB\""});
  EXPECT_EQ(state_in_list(2), "too big");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "uid-bad", .reply = "-ERR damaged"}}; });
  run({"sync"});
  EXPECT_EQ(state_in_list(2), "held");
  EXPECT_EQ(state_in_list(3), "held");
}

TEST_F(Commands, ListMakesNothingWhereNothingWasStored) {
  run({"list", "home"});
  EXPECT_FALSE(std::filesystem::exists(home.state_dir()));
  EXPECT_FALSE(std::filesystem::exists(home.maildir()));
}

TEST_F(Commands, ListWritesUniqueIdsSoThatTheyCanBeGivenBack) {
  server.add(small_message("again"), "uid-one");
  const ProgramResult table = run({"list", "home"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("uid-one\n"), HasSubstr("uid%20two\n"), HasSubstr("uid-one#2\n")));
  const ProgramResult json = run({"list", "home", "--json"});
  EXPECT_EQ(json_at(json.out, "messages[2].uid"), "uid-one#2");
  EXPECT_EQ(json_at(json.out, "messages[0].number"), "1");
  EXPECT_EQ(json_at(json.out, "messages[0].size"), std::to_string(small_message("one").size()));
  EXPECT_THAT(run({"show", "home", "uid-one#2"}).out, HasSubstr("Subject: again"));
}

TEST_F(Commands, ShowByUniqueIdAndByNumber) {
  EXPECT_THAT(run({"show", "home", "uid%20two"}).out, AllOf(HasSubstr("Subject: two"), HasSubstr("line")));
  EXPECT_THAT(run({"show", "home", "--number", "1"}).out, HasSubstr("Subject: one"));
  EXPECT_EQ(server.record().count("RETR"), 0U);
}

TEST_F(Commands, ShowRefusesWhatIsNotThere) {
  EXPECT_EQ(home.run({"show", "home", "no-such-uid"}).status, 64);
  EXPECT_EQ(home.run({"show", "home", "--number", "99"}).status, 64);
  EXPECT_EQ(home.run({"show", "home"}).status, 64);
  EXPECT_EQ(home.run({"show", "home", "uid-one", "--number", "1"}).status, 64);
}

TEST_F(Commands, ShowEscapesWhatATerminalWouldObey) {
  server.add(small_message("evil", "\x1b[2J\x07 cleared\r\n"), "evil");
  const ProgramResult result = run({"show", "home", "evil"});
  EXPECT_THAT(result.out, AllOf(HasSubstr("cleared"), Not(HasSubstr("\x1b")), Not(HasSubstr("\x07"))));
}

TEST_F(Commands, ListAndShowLeaveMessagesUnreadOnTheServer) {
  server.change([](MaildropKnobs& knobs) { knobs.hide_retrieved = true; });
  run({"list", "home"});
  run({"show", "home", "uid-one"});
  EXPECT_EQ(fetched(), "2");
}

TEST_F(Commands, SeedMarksWhatIsThereAsSeenAndNeverDeletesIt) {
  EXPECT_THAT(run({"seed", "home"}).out, HasSubstr("2 messages marked as seen"));
  server.add(small_message("three"));
  configure({"leave_on_server = false"});
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(server.count(), 2U);
  EXPECT_EQ(messages_in(home.maildir()).size(), 1U);
  EXPECT_THAT(run({"seed", "home"}).out, HasSubstr("0 messages"));
}

TEST_F(Commands, VerifyIsContentUntilAFileIsMissing) {
  run({"sync"});
  EXPECT_THAT(run({"verify"}).out, HasSubstr("2 messages published, 0 not in the Maildir"));
  std::filesystem::remove(message_files(home.maildir()).front());
  const ProgramResult result = home.run({"verify", "--json"});
  EXPECT_EQ(result.status, 65);
  EXPECT_EQ(json_at(result.out, "accounts[0].published"), "2");
  EXPECT_NE(json_at(result.out, "accounts[0].missing[0].uid"), "(absent)");
}

TEST_F(Commands, VerifyGoesOnPastAnAccountThatCannotBeVerified) {
  server.add_user("bob", "open-sesame");
  server.add_user("carol", "open-sesame");
  server.add_to("bob", small_message("three"));
  server.add_to("carol", small_message("four"));
  const auto accounts = [&](const std::string& user) {
    home.configure_all({{.name = "a", .port = server.port()},
                        {.name = "b", .port = server.port(), .user = user},
                        {.name = "c", .port = server.port(), .user = "carol"}});
  };
  accounts("bob");
  run({"sync"});
  accounts("dave");
  std::filesystem::remove_all(home.maildir("a"));
  std::filesystem::remove(message_files(home.maildir("c")).front());
  const ProgramResult text = home.run({"verify"});
  EXPECT_EQ(text.status, 78);
  EXPECT_THAT(text.err, AllOf(HasSubstr("error: a: mailstore is gone"), HasSubstr("error: b: ")));
  EXPECT_THAT(text.out, HasSubstr("c: 1 message published, 1 not in the Maildir"));
  const ProgramResult json = home.run({"verify", "--json"});
  EXPECT_EQ(json.status, 78);
  EXPECT_EQ(json.err, "");
  EXPECT_EQ(json_at(json.out, "accounts[0].error.code"), "mailstore_unavailable");
  EXPECT_EQ(json_at(json.out, "accounts[1].error.code"), "account_identity");
  EXPECT_EQ(json_at(json.out, "accounts[2].error"), "null");
  EXPECT_EQ(json_at(json.out, "accounts[2].published"), "1");
}

TEST_F(Commands, VerifyNamesTheMbox) {
  home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"alice\"\ntls = \"none\"\n" +
                      "password = \"open-sesame\"\nallow_insecure_auth = true\nmbox = \"" + (home.folder() / "mbox") + "\"\n");
  run({"sync"});
  EXPECT_THAT(run({"verify"}).out, HasSubstr("2 messages published, 0 not in the mbox any more"));
}

TEST_F(Commands, VerifyKnowsMessagesThatAReaderMovedAndFlagged) {
  run({"sync"});
  const std::string file = message_files(home.maildir()).front();
  std::filesystem::rename(file, home.maildir() + "/cur/" + std::filesystem::path(file).filename().string() + ":2,FS");
  run({"verify"});
}

TEST_F(Commands, RefetchMissingFetchesOnlyWhatIsMissing) {
  run({"sync"});
  std::filesystem::remove(message_files(home.maildir()).front());
  EXPECT_THAT(run({"refetch", "home", "--missing"}).out, HasSubstr("1 message "));
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  run({"verify"});
}

TEST_F(Commands, RefetchOfOneAndOfAll) {
  run({"sync"});
  run({"refetch", "home", "uid%20two"});
  EXPECT_EQ(fetched(), "1");
  run({"refetch", "home", "--all", "--yes"});
  EXPECT_EQ(fetched(), "2");
}

TEST_F(Commands, RefetchOfAllAsksIfSomethingIsHere) {
  run({"sync"});
  std::filesystem::remove(message_files(home.maildir()).front());
  const ProgramResult asked = home.run({"refetch", "home", "--all"});
  EXPECT_EQ(asked.status, 64);
  EXPECT_THAT(asked.err, AllOf(HasSubstr("1 of them is here and will be here twice"), HasSubstr("--missing"), HasSubstr("--yes")));
  EXPECT_EQ(fetched(), "0");
  for (const auto& file : message_files(home.maildir())) std::filesystem::remove(file);
  run({"refetch", "home", "--all"});
  EXPECT_EQ(fetched(), "2");
}

TEST_F(Commands, RefetchRefusesUnknownUniqueIdsAndMixedWays) {
  run({"sync"});
  EXPECT_EQ(home.run({"refetch", "home", "no-such-uid"}).status, 64);
  EXPECT_EQ(home.run({"refetch", "home"}).status, 64);
  EXPECT_EQ(home.run({"refetch", "home", "uid-one", "--all"}).status, 64);
  EXPECT_EQ(fetched(), "0");
}

TEST_F(Commands, RenameCarriesTheStateOver) {
  run({"sync"});
  run({"rename", "home", "private"});
  home.configure({.name = "private", .port = server.port(), .maildir = home.maildir()});
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(home.run({"rename", "nobody", "other"}).status, 64);
  EXPECT_EQ(home.run({"rename", "private", "bad/name"}).status, 64);
}

TEST_F(Commands, RenameToTheSameNameIsNoReasonToForgetAnything) {
  run({"sync"});
  const ProgramResult result = home.run({"rename", "home", "home"});
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.err, AllOf(HasSubstr("the same: home"), Not(HasSubstr("forget"))));
}

TEST_F(Commands, NameInTheConfigurationLeadsToTheOneOfTheState) {
  run({"sync"});
  run({"rename", "home", "private"});
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"forget", "home", "--yes"}, {"rename", "home", "other"}}) {
    const ProgramResult result = home.run(arguments);
    EXPECT_EQ(result.status, 64);
    EXPECT_THAT(result.err, AllOf(HasSubstr("under the name private"), HasSubstr("`popsync " + arguments.front() + " private`")));
  }
}

TEST_F(Commands, ForgetAsksOrWantsYesAndThenEverythingIsNew) {
  run({"sync"});
  const ProgramResult asked = home.run({"forget", "home"});
  EXPECT_EQ(asked.status, 64);
  EXPECT_THAT(asked.err, HasSubstr("--yes"));
  EXPECT_EQ(fetched(), "0");
  EXPECT_THAT(run({"forget", "home", "--yes"}).out, AllOf(HasSubstr("2 messages forgotten"), HasSubstr("`popsync adopt home`")));
  EXPECT_EQ(messages_in(home.maildir()).size(), 2U);
  EXPECT_EQ(fetched(), "2");
}

TEST_F(Commands, StatusSaysHowToStartTheDaemonThatIsMeant) {
  // root has the system's paths in any case
  if (::geteuid() != 0) {
    EXPECT_THAT(run({"status"}).out, HasSubstr("(start it with: systemctl --user enable --now popsync)"));
  }
  EXPECT_THAT(run({"--system", "status"}).out, HasSubstr("(start it with: systemctl enable --now popsync)"));
}

TEST_F(Commands, StatusDoesNotAdviseToStartADaemonThatWouldHaveNothingToDo) {
  home.configure_with("");
  EXPECT_THAT(run({"status"}).out, HasSubstr("popsync does not run (no account is configured: describe one in " + home.config_file() + ")"));
}

TEST_F(Commands, StatusTellsOfASyncAtOnce) {
  const auto last_success = [&] { return json_at(run({"status", "--json"}).out, "accounts[0].last_success"); };
  run({"sync"});
  const std::string first = last_success();
  // Until the clock, which is told in full seconds, has moved on.
  for (int i = 0; i < 1000 && last_success() == first; ++i) run({"sync"});
  EXPECT_GT(last_success(), first);
}

TEST_F(Commands, StatusTellsEverythingPromised) {
  ProgramResult status = run({"status", "--json"});
  EXPECT_EQ(json_at(status.out, "daemon.running"), "false");
  EXPECT_EQ(json_at(status.out, "daemon.pid"), "null");
  EXPECT_EQ(json_at(status.out, "daemon.since"), "null");
  EXPECT_EQ(json_at(status.out, "accounts[0].state"), "never");
  EXPECT_EQ(json_at(status.out, "accounts[0].last_attempt"), "null");
  run({"sync"});
  status = run({"status", "--json"});
  EXPECT_EQ(json_at(status.out, "accounts[0].name"), "home");
  EXPECT_EQ(json_at(status.out, "accounts[0].state"), "ok");
  for (const char* time : {"last_attempt", "last_success"}) {
    EXPECT_THAT(json_at(status.out, std::string("accounts[0].") + time), testing::MatchesRegex("[0-9-]+T[0-9:]+Z"));
  }
  EXPECT_EQ(json_at(status.out, "accounts[0].consecutive_failures"), "0");
  EXPECT_EQ(json_at(status.out, "accounts[0].last_error"), "null");
  EXPECT_NE(json_at(status.out, "accounts[0].next_sync"), "(absent)");
  EXPECT_EQ(json_at(status.out, "accounts[0].seen"), "2");
  EXPECT_EQ(json_at(status.out, "accounts[0].delivered_total"), "2");
  std::size_t octets = 0;
  for (const std::string& message : messages_in(home.maildir())) octets += message.size();
  EXPECT_EQ(json_at(status.out, "accounts[0].octets_total"), std::to_string(octets));
  EXPECT_EQ(json_at(status.out, "accounts[0].held"), "[]");
}

TEST_F(Commands, StatusTellsTheLastErrorAndItsExitCode) {
  server.change([](MaildropKnobs& knobs) { knobs.greeting = "-ERR closed"; });
  EXPECT_EQ(home.run({"sync"}).status, 69);
  EXPECT_EQ(home.run({"sync"}).status, 69);
  const ProgramResult status = run({"status", "--json"});
  EXPECT_EQ(json_at(status.out, "accounts[0].consecutive_failures"), "2");
  EXPECT_EQ(json_at(status.out, "accounts[0].state"), "backing_off");
  EXPECT_EQ(json_at(status.out, "accounts[0].last_error.code"), "greeting_refused");
  EXPECT_NE(json_at(status.out, "accounts[0].last_error.at"), "(absent)");
  EXPECT_EQ(home.run({"status", "--exit-code"}).status, 69);
  server.set_knobs({});
  run({"sync"});
  EXPECT_EQ(home.run({"status", "--exit-code"}).status, 0);
  EXPECT_EQ(json_at(run({"status", "--json"}).out, "accounts[0].consecutive_failures"), "0");
}

TEST_F(Commands, StatusTellsSinceWhenAnAccountIsAnotherUsers) {
  run({"sync"});
  home.configure({.port = server.port(), .user = "bob"});
  const ProgramResult status = run({"status", "--json"});
  EXPECT_EQ(json_at(status.out, "accounts[0].last_error.code"), "account_identity");
  EXPECT_THAT(json_at(status.out, "accounts[0].last_error.at"), testing::MatchesRegex("[0-9-]+T[0-9:]+Z"));
  EXPECT_THAT(json_at(status.out, "accounts[0].last_error.hint"), HasSubstr("popsync rename"));
}

TEST_F(Commands, DryRunNamesWhatItWouldDelete) {
  run({"sync"});
  configure({"leave_on_server = false"});
  EXPECT_THAT(run({"sync", "--dry-run"}).out, AllOf(HasSubstr("delete  uid-one\n"), HasSubstr("delete  uid%20two\n")));
  EXPECT_EQ(server.count(), 2U);
}

// protocol.md 35
TEST_F(Commands, StatusAndCheckTellThatTheServerDeletesByItself) {
  run({"sync"});
  EXPECT_EQ(json_at(run({"status", "--json"}).out, "accounts[0].expire_days"), "null");
  for (const auto& [announced, told] : std::map<std::string, std::string>{{"31 USER", "after 31 days (EXPIRE)"}, {"0", "(EXPIRE 0)"}}) {
    server.change([&](MaildropKnobs& knobs) { knobs.expire = announced; });
    forget_capabilities();
    run({"sync"});
    EXPECT_THAT(run({"status"}).out, HasSubstr(told));
    EXPECT_THAT(run({"check", "--connect"}).out, HasSubstr(told));
  }
  EXPECT_EQ(json_at(run({"status", "--json"}).out, "accounts[0].expire_days"), "31");
  server.change([](MaildropKnobs& knobs) { knobs.expire = "NEVER"; });
  forget_capabilities();
  run({"sync"});
  EXPECT_THAT(run({"status"}).out, Not(HasSubstr("EXPIRE")));
}

TEST_F(Commands, StatusOfFailingAccountsOnly) {
  home.configure_all({{.name = "bad", .port = 1, .user = "bob"}, {.name = "good", .port = server.port()}});
  home.run({"sync"});
  const ProgramResult status = run({"status", "--failing", "--json"});
  EXPECT_EQ(json_at(status.out, "accounts[0].name"), "bad");
  EXPECT_THAT(status.out, Not(HasSubstr("\"good\"")));
}

TEST_F(Commands, CheckMakesNothingAndConnectTellsWhatIsNew) {
  run({"check"});
  EXPECT_EQ(server.record().sessions, 0U);
  const ProgramResult result = run({"check", "--connect"});
  EXPECT_THAT(result.out, AllOf(HasSubstr("logged in as alice"), HasSubstr("2 to fetch")));
  EXPECT_EQ(server.record().count("RETR"), 0U);
  EXPECT_FALSE(std::filesystem::exists(home.state_dir()));
  EXPECT_FALSE(std::filesystem::exists(home.maildir()));
}

TEST_F(Commands, CheckReportsEveryTrouble) {
  configure({});
  (void)home.folder().write("mail/home", "a file in the way");
  server.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "AUTH", .reply = "-ERR [AUTH] no"}}; });
  const ProgramResult result = home.run({"check", "--connect"});
  EXPECT_EQ(result.status, 77);
  EXPECT_THAT(result.out, AllOf(HasSubstr("mailstore: failed"), HasSubstr("server: failed")));
}

// What check calls usable, sync can use.
TEST_F(Commands, CheckSeesWhatSyncWouldStumbleOver) {
  const auto expect_seen = [&](const std::string& trouble, int status) {
    const ProgramResult check = home.run({"check"});
    EXPECT_EQ(check.status, status) << check.out;
    EXPECT_THAT(check.out, HasSubstr(trouble));
    EXPECT_NE(home.run({"sync"}).status, 0) << trouble;
  };
  std::filesystem::create_directories(home.state_dir());
  std::filesystem::permissions(home.state_dir(), std::filesystem::perms::all);
  expect_seen("others may write to the state directory", 73);
  std::filesystem::remove_all(home.state_dir());
  (void)home.folder().write("file", "in the way");
  home.configure({.port = server.port(), .maildir = home.folder() / "file/mail"});
  expect_seen("Not a directory", 73);
  std::filesystem::create_directory_symlink(home.folder() / "nowhere", home.folder() / "link");
  home.configure({.port = server.port(), .maildir = home.folder() / "link/mail"});
  expect_seen("link is a link to a place that does not exist", 73);
  home.configure({.port = server.port(), .tls = "implicit", .ca_file = home.folder() / "none.pem"});
  expect_seen("cannot read tls_ca_file", 78);
}

TEST_F(Commands, SecretsComeFromFileEnvironmentAndCommand) {
  const auto with = [&](const std::string& source) {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"alice\"\ntls = \"none\"\n" +
                        "allow_insecure_auth = true\nmaildir = \"" + home.maildir() + "\"\n" + source + "\n");
    ProgramCall call = home.call({"sync"});
    call.environment["POP_PASSWORD"] = "open-sesame";
    return run_program(call);
  };
  const std::string file = home.folder().write("secret", "open-sesame\n");
  for (const std::string& source : {"password_file = \"" + file + "\"", std::string("password_env = \"POP_PASSWORD\""),
                                    std::string("password_command = [\"echo\", \"open-sesame\"]")}) {
    const ProgramResult result = with(source);
    EXPECT_EQ(result.status, 0) << source << ": " << result.err;
  }
  EXPECT_EQ(with("password_command = [\"false\"]").status, 77);
  std::filesystem::permissions(file, std::filesystem::perms::owner_all | std::filesystem::perms::others_read);
  EXPECT_EQ(with("password_file = \"" + file + "\"").status, 77);
}

TEST_F(Commands, PasswordCommandDoesNotInheritPasswordVariables) {
  home.configure_with("[defaults]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                      "\ntls = \"none\"\nallow_insecure_auth = true\n[accounts.one]\nuser = \"alice\"\nmaildir = \"" + home.maildir("one") +
                      "\"\npassword_command = [\"sh\", \"-c\", \"echo ${POP_PASSWORD:-open-sesame}\"]\n[accounts.two]\nuser = \"bob\"\nmaildir = \"" +
                      home.maildir("two") + "\"\npassword_env = \"POP_PASSWORD\"\n");
  ProgramCall call = home.call({"sync", "one"});
  call.environment["POP_PASSWORD"] = "bobs-own";
  const ProgramResult result = run_program(call);
  EXPECT_EQ(result.status, 0) << result.err;
}

}  // namespace
}  // namespace popsync::test
