// SPDX-License-Identifier: MIT
// What can be wrong before any account is touched: the command line, the configuration, locks of another popsync.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct CommandLine : testing::Test {
  void SetUp() override {
    server.add(small_message("one"));
    home.configure({.name = "work", .port = server.port()});
  }

  // With the options in front.
  [[nodiscard]] ProgramResult run(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all = {"-c", home.config_file(), "--state-dir", home.state_dir()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_program({.arguments = all, .environment = {{"HOME", home.folder() / "home"}}});
  }
  [[nodiscard]] ProgramResult in_shell(const std::string& line) const {
    const std::string script = "config=\"$1\" state=\"$2\"; popsync() { \"$0\" -c \"$config\" --state-dir \"$state\" \"$@\"; }; " + line;
    return run_program({.arguments = {"-c", script, built_program(), home.config_file(), home.state_dir()},
                        .environment = {{"HOME", home.folder() / "home"}},
                        .program = "/bin/sh"});
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(CommandLine, UnknownCommandSuggestsTheNearest) {
  const ProgramResult result = home.run({"snyc"});
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.err, AllOf(HasSubstr("snyc"), HasSubstr("\"sync\"")));
}

TEST_F(CommandLine, UnknownAccountSuggestsTheNearest) {
  for (const char* command : {"sync", "check", "list", "status", "verify", "config", "seed"}) {
    const ProgramResult result = home.run({command, "wrok"});
    EXPECT_EQ(result.status, 64) << command << ": " << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("wrok"), HasSubstr("\"work\""))) << command;
  }
}

TEST_F(CommandLine, MistakesOfUsageEndWith64) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"sync", "--no-such-option"},
                                                    {"sync", "--wait", "soon"},
                                                    {"list"},
                                                    {"list", "work", "other"},
                                                    {"rename", "work"},
                                                    {"show", "work", "--number", "0"},
                                                    {"show", "work", "--number", "x"},
                                                    {"accept", "--mailstore"}}) {
    const ProgramResult result = home.run(arguments);
    EXPECT_EQ(result.status, 64) << arguments.back() << ": " << result.err;
    EXPECT_NE(result.err, "");
    EXPECT_EQ(result.out, "");
  }
  EXPECT_EQ(run_program({.arguments = {}, .environment = {{"HOME", home.folder() / "home"}}}).status, 64);
}

TEST_F(CommandLine, OptionsMayStandBeforeTheCommand) {
  const ProgramResult result = run_program({.arguments = {"-c", home.config_file(), "--state-dir", home.state_dir(), "--json", "sync", "work"},
                                            .environment = {{"HOME", home.folder() / "home"}}});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(json_at(result.out, "accounts[0].fetched"), "1");
}

TEST_F(CommandLine, DoubleDashEndsOptions) {
  EXPECT_EQ(run_program({.arguments = {"-c", home.config_file(), "--state-dir", home.state_dir(), "sync", "--", "work"},
                         .environment = {{"HOME", home.folder() / "home"}}})
                .status,
            0);
}

TEST_F(CommandLine, ArgumentsAreTakenAsTheyAre) {
  const std::vector<std::string> uids = {"[a,b]", "a", "b", "-dash", "++", "list", "[]"};
  for (const std::string& uid : uids) server.add(small_message("message " + uid), uid);
  for (const std::string& uid : uids) {
    const ProgramResult result = run({"show", "work", "--", uid});
    EXPECT_EQ(result.status, 0) << uid << ": " << result.err;
    EXPECT_THAT(result.out, HasSubstr("Subject: message " + uid));
  }
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_THAT(home.run({"refetch", "work", "[a,b]"}).out, HasSubstr("1 message "));
  EXPECT_THAT(home.run({"refetch", "work", "[-dash,b]"}).err, HasSubstr("no message \"[-dash,b]\""));
  EXPECT_THAT(run({"skip", "work", "--", "[a,x]", "-dash"}).err, HasSubstr("no message \"[a,x]\""));
  EXPECT_THAT(run({"rename", "work", "--", "-x"}).err, HasSubstr("\"-x\" is no account name"));
  EXPECT_EQ(run({"forget", "--yes", "--", "work"}).status, 0);
}

TEST_F(CommandLine, UnknownOptionIsNamedWithTheNearest) {
  EXPECT_THAT(run({"--versoin"}).err, AllOf(HasSubstr("unknown option \"--versoin\""), HasSubstr("\"--version\"")));
  EXPECT_THAT(run({"sync", "--dryrun"}).err, AllOf(HasSubstr("unknown option \"--dryrun\""), HasSubstr("\"--dry-run\""), HasSubstr("sync --help")));
  EXPECT_THAT(run({"list", "work", "other"}).err, HasSubstr("\"other\" is one argument too many"));
}

TEST_F(CommandLine, CommandIsMissingAndNotASubcommand) {
  EXPECT_THAT(run({"--json"}).err, HasSubstr("a command is required"));
  const ProgramResult result = run({"-v"});
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.err, AllOf(HasSubstr("a command is required"), Not(HasSubstr("ubcommand"))));
  EXPECT_THAT(run({"--help"}).out, Not(HasSubstr("UBCOMMAND")));
}

TEST_F(CommandLine, ShortOptionsMayStandTogether) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"-vc", home.config_file(), "sync"}, {"-vc" + home.config_file(), "sync"}}) {
    std::vector<std::string> all = {"--state-dir", home.state_dir()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProgramResult result = run_program({.arguments = all, .environment = {{"HOME", home.folder() / "home"}}});
    EXPECT_EQ(result.status, 0) << result.err;
  }
}

TEST_F(CommandLine, OptionWithAValueNeedsOneAndOnlyOne) {
  const auto expect = [](const std::vector<std::string>& arguments, const std::string& told) {
    const ProgramResult result = run_program({.arguments = arguments, .environment = {{"HOME", "/nonexistent"}}});
    EXPECT_EQ(result.status, 64) << result.err;
    EXPECT_THAT(result.err, HasSubstr(told));
  };
  expect({"sync", "--state-dir", "/a", "--state-dir", "/b"}, "--state-dir is given twice");
  expect({"sync", "-c", "/a", "--config=/b"}, "--config is given twice");
  expect({"sync", "-c", ""}, "--config needs a value that is not empty");
  expect({"sync", "--config=", "work"}, "--config needs a value that is not empty");
  expect({"sync", "--state-dir", ""}, "--state-dir needs a value that is not empty");
  expect({"sync", "--state-dir"}, "--state-dir needs a value");
  expect({"show", "work", "--number", "0"}, "\"0\" is no message-number");
}

TEST_F(CommandLine, HelpOfACommandNamesTheOtherOptionsToo) {
  EXPECT_THAT(run({"sync", "--help"}).out, HasSubstr("popsync --help"));
  EXPECT_THAT(run({"status", "--help"}).out, HasSubstr("none: all\n"));
}

// ---- standard streams

TEST_F(CommandLine, OutputThatDoesNotArriveIsAnError) {
  for (const char* command : {"list work --json", "status", "config", "--help", "sync --dry-run"}) {
    const ProgramResult result = in_shell(std::string("popsync ") + command + " >/dev/full");
    EXPECT_EQ(result.status, 74) << command;
    EXPECT_THAT(result.err, HasSubstr("standard output cannot be written: No space left on device")) << command;
  }
}

TEST_F(CommandLine, ReaderThatHasReadEnoughIsToldNothing) {
  for (int i = 0; i < 3000; ++i) server.add(small_message("one"), "uid-" + std::string(60, 'x') + std::to_string(i));
  const ProgramResult result = in_shell("{ popsync list work; echo status $? >&2; } | head -n 1");
  EXPECT_EQ(result.err, "status 74\n");
}

TEST_F(CommandLine, ClosedStreamsAreNoFileOfOurs) {
  EXPECT_EQ(in_shell("popsync sync <&- >&- 2>&-").status, 0);
  EXPECT_EQ(in_shell("popsync list work <&- >&- 2>&-").status, 0);
  EXPECT_EQ(in_shell("popsync forget no-such-account --yes >&- 2>&-").status, 64);
  EXPECT_EQ(home.run({"status"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir("work")), as_stored(server.messages()));
}

TEST_F(CommandLine, VersionAndHelpNeedNoConfiguration) {
  const ProgramResult version = run_program({.arguments = {"--version"}, .environment = {{"HOME", home.folder() / "home"}}});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.out, "popsync 0.1.0\n");
  const ProgramResult help = run_program({.arguments = {"--help"}, .environment = {{"HOME", home.folder() / "home"}}});
  EXPECT_EQ(help.status, 0);
  for (const char* command : {"run", "sync", "check", "list", "show", "status", "verify", "config", "seed", "rename", "forget", "refetch"}) {
    EXPECT_THAT(help.out, HasSubstr(command));
    EXPECT_EQ(run_program({.arguments = {command, "--help"}, .environment = {{"HOME", home.folder() / "home"}}}).status, 0) << command;
  }
}

TEST_F(CommandLine, HelpIsACommandToo) {
  const auto text = [&](const std::vector<std::string>& arguments) {
    const ProgramResult result = run_program({.arguments = arguments, .environment = {{"HOME", home.folder() / "home"}}});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(text({"help"}), text({"--help"}));
  EXPECT_EQ(text({"help", "sync"}), text({"sync", "--help"}));
  EXPECT_EQ(home.run({"help", "sink"}).status, 64);
  EXPECT_EQ(home.run({"help", "sync", "check"}).status, 64);
}

TEST_F(CommandLine, QuietCheckNamesOnlyWhatIsWrong) {
  EXPECT_EQ(run({"check", "-q", "work"}).out, "");
  std::filesystem::create_directories(home.folder() / "mail");
  std::ofstream(home.maildir("work")) << "no Maildir";
  EXPECT_THAT(home.run({"-q", "check", "work"}).out, AllOf(HasSubstr("work: mailstore: failed"), Not(HasSubstr(": ok: "))));
}

TEST_F(CommandLine, StoppedCheckSaysWhatWasNotChecked) {
  const std::string asked = home.folder() / "asked";
  ASSERT_EQ(::mkfifo(asked.c_str(), 0600), 0);
  const std::string common = "host = \"127.0.0.1\"\nuser = \"alice\"\n";
  home.configure_with("[accounts.a]\n" + common + "password_command = [\"cat\", \"" + asked + "\"]\nmaildir = \"~/a\"\n[accounts.b]\n" + common +
                      "port = 1\npassword = \"x\"\nmaildir = \"~/b\"\n");
  const auto check = home.start({"check"});
  const std::ofstream reader_is_there(asked);  // opened once the command reads from it
  check->signal(SIGINT);
  const ProgramResult result = check->wait();
  EXPECT_EQ(result.status, 75);
  EXPECT_THAT(result.err, HasSubstr("not checked to the end: a, b"));
}

TEST_F(CommandLine, MissingConfigurationFileThatWasNamedEndsWith66) {
  std::filesystem::remove(home.config_file());
  EXPECT_EQ(home.run({"sync"}).status, 66);
}

TEST_F(CommandLine, EveryMistakeOfTheConfigurationIsListedAndNothingStarts) {
  home.configure_with(
      "[accounts.work]\nhsot = \"127.0.0.1\"\nport = 99999\nuser = \"alice\"\npassword = \"x\"\nmaildir = \"relative\"\ninterval = \"1s\"\n");
  for (const char* command : {"sync", "run", "check", "status"}) {
    const ProgramResult result = home.run({command});
    EXPECT_EQ(result.status, std::string(command) == "status" ? 0 : 78) << command;  // status answers from the state
    for (const char* key : {"hsot", "host", "port", "maildir", "interval"}) EXPECT_THAT(result.err, HasSubstr(key)) << command;
    EXPECT_THAT(result.err, HasSubstr(home.config_file() + ":2:1: "));
  }
  EXPECT_FALSE(std::filesystem::exists(home.state_dir()));
}

TEST_F(CommandLine, NoAccountAtAllEndsWith78) {
  home.configure_with("");
  for (const char* command : {"sync", "run"}) {
    const ProgramResult result = home.run({command});
    EXPECT_EQ(result.status, 78) << command;
    EXPECT_THAT(result.err, HasSubstr("no account"));
  }
}

TEST_F(CommandLine, NoEnabledAccountSaysHowToEnableOne) {
  home.configure({.name = "work", .port = server.port(), .more = {"enabled = false"}});
  const ProgramResult result = home.run({"sync"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, AllOf(HasSubstr("no account is enabled"), HasSubstr("enabled = true")));
}

TEST_F(CommandLine, ConfigurationFileThatIsNoFileIsRefused) {
  const std::string drop_in = home.folder() / "config/conf.d/x.toml";
  std::filesystem::create_directories(home.folder() / "config/conf.d");
  ASSERT_EQ(::mkfifo(drop_in.c_str(), 0600), 0);
  const ProgramResult result = home.run({"check"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, AllOf(HasSubstr("x.toml"), HasSubstr("no regular file")));
  std::filesystem::remove(drop_in);
  std::filesystem::create_symlink("/dev/null", drop_in);
  EXPECT_EQ(home.run({"check"}).status, 0);
}

TEST_F(CommandLine, ConfigShowsTheEffectiveConfigurationAndMasksSecrets) {
  const ProgramResult result = home.run({"config"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("user = \"alice\""), HasSubstr("***"), HasSubstr(home.config_file()), Not(HasSubstr("open-sesame"))));
  const ProgramResult json = home.run({"config", "--json"});
  EXPECT_EQ(json_at(json.out, "accounts[0].name"), "work");
  EXPECT_THAT(json.out, Not(HasSubstr("open-sesame")));
}

TEST_F(CommandLine, ConfigIsAConfigurationAgain) {
  const ProgramResult first = home.run({"config"});
  home.configure_with(first.out);
  const ProgramResult second = home.run({"config"});
  EXPECT_EQ(second.status, 0) << second.err;
}

// A popsync that holds the account because its server does not go on.
struct HeldLock : CommandLine {
  void SetUp() override {
    CommandLine::SetUp();
    server.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = 1, .octets = 10}; });
    holder = home.start({"sync"});
    ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  }
  void expect_held(const ProgramResult& result) {
    EXPECT_EQ(result.status, 75) << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("held by popsync sync"), HasSubstr("pid " + std::to_string(holder->pid())), HasSubstr("since 20")));
  }

  std::unique_ptr<ProgramRun> holder;
};

// protocol.md 118
TEST_F(HeldLock, IsToldWithItsHolder) {
  for (const char* command : {"sync", "list"}) expect_held(home.run({command, "work", "--wait", "0s"}));
  expect_held(home.run({"show", "work", "--number", "1", "--wait", "0s"}));
  const ProgramResult check = home.run({"check", "work", "--connect", "--wait", "0s"});
  EXPECT_EQ(check.status, 75) << check.out;
  EXPECT_THAT(check.out, HasSubstr("held by popsync sync"));
}

TEST_F(HeldLock, IsWaitedForAndThenNothingComesTwice) {
  const auto waiting = home.start({"sync", "--wait", "30s", "--json"});
  server.release_stalled();
  EXPECT_EQ(holder->wait().status, 0);
  const ProgramResult& result = waiting->wait();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(messages_in(home.maildir("work")).size(), 1U);
}

TEST_F(HeldLock, EndsWithTheProcessHoweverItEnds) {
  holder->signal(SIGKILL);
  holder->wait();
  server.release_stalled();
  EXPECT_EQ(home.run({"sync", "--wait", "0s"}).status, 0);
}

TEST_F(HeldLock, StatusSaysSyncing) { EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "accounts[0].state"), "syncing"); }

TEST_F(HeldLock, SigtermDuringSyncEndsWith75AndKeepsWhatIsPublished) {
  holder->signal(SIGTERM);
  EXPECT_EQ(holder->wait().status, 75);
  server.release_stalled();
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir("work")).size(), 1U);
}

}  // namespace
}  // namespace popsync::test
