// SPDX-License-Identifier: MIT
// What `popsync status` tells is what happened: of an account whose Maildir cannot even be looked at, of the daemon's last session, and while the
// configuration has a mistake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/clock.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"
#include "support/stored_state.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr uid_t kNobody = 65534;

// Root's files become nobody's, and the program runs as nobody: then permissions bind.
void give_away(const std::string& path) { ASSERT_EQ(::lchown(path.c_str(), kNobody, kNobody), 0) << path; }

struct Status : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 3; ++i) server.add(small_message("message " + std::to_string(i)), "uid-" + std::to_string(i));
    home.configure({.port = server.port()});
  }
  ProgramResult run(std::vector<std::string> arguments) const { return home.run(std::move(arguments)); }
  [[nodiscard]] std::string told(const std::string& path) const { return json_at(run({"status", "--json"}).out, path); }
  [[nodiscard]] std::string of_account(const std::string& key) const { return told("accounts[0]." + key); }
  static bool comes_true(const std::function<bool()>& what) {
    const SteadyTime deadline = system_clock().steady() + std::chrono::seconds(60);
    while (!what()) {
      if (system_clock().steady() > deadline) return false;
    }
    return true;
  }
  void put_a_file_in_the_way() { home.configure({.port = server.port(), .maildir = home.folder().write("file", "in the way") + "/mail"}); }
  void start() {
    daemon = home.start({"run"});
    ASSERT_TRUE(sessions_done(1));
    ASSERT_TRUE(comes_true([&] { return of_account("next_sync") != "null"; }));
  }
  bool sessions_done(std::size_t count) {
    return server.wait_for([&](const MaildropRecord& record) { return record.quits >= count && record.open_sessions == 0; });
  }
  // One more than there were.
  void hold_session() {
    const std::size_t before = server.record().quits;
    daemon->signal(SIGUSR1);
    ASSERT_TRUE(sessions_done(before + 1));
  }
  void expect_failing(const std::string& code, int exit_status, const std::string& words) const {
    EXPECT_EQ(of_account("last_error.code"), code);
    EXPECT_THAT(of_account("last_error.message"), HasSubstr(words));
    EXPECT_NE(of_account("last_attempt"), "null");
    EXPECT_EQ(run({"status"}).status, 0);
    const ProgramResult failing = run({"status", "--failing", "--exit-code"});
    EXPECT_EQ(failing.status, exit_status);
    EXPECT_THAT(failing.out, AllOf(HasSubstr("home: "), Not(HasSubstr("home: never")), HasSubstr("failed "), HasSubstr(words)));
  }

  MaildropServer server;
  ProgramHome home;
  NotifySocket manager{home.folder() / "notify"};
  std::unique_ptr<ProgramRun> daemon;
};

TEST_F(Status, KnowsASyncThatCouldNotLookAtItsMaildir) {
  put_a_file_in_the_way();
  EXPECT_EQ(run({"sync"}).status, 73);
  expect_failing("mailstore_unavailable", 73, "Not a directory");
  EXPECT_EQ(of_account("consecutive_failures"), "1");
  home.configure({.port = server.port()});
  EXPECT_EQ(run({"sync"}).status, 0);
  EXPECT_EQ(of_account("state"), "ok");
  EXPECT_EQ(run({"status", "--exit-code"}).status, 0);
}

TEST_F(Status, KnowsADaemonThatCouldNotLookAtItsMaildir) {
  put_a_file_in_the_way();
  daemon = home.start({"run"});
  EXPECT_TRUE(comes_true([&] { return of_account("last_error.code") == "mailstore_unavailable"; })) << daemon->err();
  expect_failing("mailstore_unavailable", 73, "Not a directory");
}

TEST_F(Status, KnowsAMaildirThatPermissionsHide) {
  fs::create_directories(home.folder() / "mail");
  fs::permissions(home.folder() / "mail", fs::perms::none);
  if (::geteuid() == 0) {
    give_away(home.folder().path());
    for (const auto& entry : fs::recursive_directory_iterator(home.folder().path())) give_away(entry.path());
  }
  const auto unprivileged = [&](std::vector<std::string> arguments) {
    ProgramCall call = home.call(std::move(arguments));
    call.unprivileged = true;
    return run_program(call);
  };
  EXPECT_EQ(unprivileged({"sync"}).status, 73);
  const ProgramResult status = unprivileged({"status", "--failing", "--exit-code"});
  EXPECT_EQ(status.status, 73);
  EXPECT_THAT(status.out, HasSubstr("Permission denied"));
  fs::permissions(home.folder() / "mail", fs::perms::all);
}

// Its row is there by then, and the user in it was a mistake.
TEST_F(Status, AnAccountThatOnlyFailedTakesAnotherUserByItself) {
  home.configure({.port = server.port(), .user = "alcie", .maildir = home.folder().write("file", "in the way") + "/mail"});
  EXPECT_EQ(run({"sync"}).status, 73);
  home.configure({.port = server.port()});
  EXPECT_EQ(of_account("last_error"), "null");
  EXPECT_EQ(run({"sync"}).status, 0);
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(Status, AnAccountThatOnlyFailedMayBeRenamedAndForgotten) {
  put_a_file_in_the_way();
  EXPECT_EQ(run({"sync"}).status, 73);
  EXPECT_EQ(run({"rename", "home", "cottage"}).status, 0);
  home.configure({.name = "cottage", .port = server.port(), .maildir = home.folder() / "file/mail"});
  EXPECT_EQ(of_account("last_error.code"), "mailstore_unavailable");
  // Taken over by host and user, without `popsync rename`.
  home.configure({.name = "house", .port = server.port(), .maildir = home.folder() / "file/mail"});
  EXPECT_EQ(of_account("last_error.code"), "mailstore_unavailable");
  EXPECT_EQ(run({"sync"}).status, 73);
  EXPECT_EQ(of_account("consecutive_failures"), "2");
  EXPECT_EQ(run({"forget", "house", "--yes"}).status, 0);
  EXPECT_EQ(of_account("state"), "never");
}

TEST_F(Status, CheckAndDryRunRecordNothing) {
  put_a_file_in_the_way();
  ASSERT_EQ(run({"sync"}).status, 73);
  EXPECT_EQ(run({"check"}).status, 73);
  EXPECT_EQ(run({"sync", "--dry-run"}).status, 73);
  EXPECT_EQ(of_account("consecutive_failures"), "1");
}

// The row that it has got then keeps nothing from being learnt.
TEST_F(Status, ALostStateIsLearntBehindAMaildirThatWasHidden) {
  ASSERT_EQ(run({"sync"}).status, 0);
  for (const char* file : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(home.state_dir() + "/" + file);
  fs::rename(home.folder() / "mail", home.folder() / "elsewhere");
  (void)home.folder().write("mail", "in the way");
  EXPECT_EQ(run({"sync"}).status, 73);
  EXPECT_EQ(of_account("last_error.code"), "mailstore_unavailable");
  fs::remove(home.folder() / "mail");
  fs::rename(home.folder() / "elsewhere", home.folder() / "mail");
  EXPECT_THAT(run({"check"}).out, HasSubstr("was filled for this account under a state that is gone"));
  EXPECT_EQ(json_at(run({"sync", "--dry-run", "--json"}).out, "accounts[0].would_fetch"), "0");
  const ProgramResult sync = run({"sync", "--json"});
  EXPECT_EQ(sync.status, 0) << sync.err;
  EXPECT_EQ(json_at(sync.out, "accounts[0].fetched"), "0");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
  EXPECT_EQ(of_account("state"), "ok");
}

// Sessions that store nothing new are not written one by one.
TEST_F(Status, LastSuccessIsTheLastOne) {
  home.configure({.port = server.port(), .more = {"interval = \"1h\""}});
  start();
  const std::string first = of_account("last_success");
  const WallTime until = system_clock().wall() + std::chrono::seconds(2);  // it is told in full seconds
  while (system_clock().wall() < until) hold_session();
  EXPECT_TRUE(comes_true([&] { return of_account("last_success") > first; }));
  EXPECT_EQ(of_account("last_success"), of_account("last_attempt"));
  const std::string last = of_account("last_success");
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait().status, 0);
  EXPECT_GE(of_account("last_success"), last);
}

TEST_F(Status, ANextSyncThatHasPassedIsNow) {
  home.configure({.port = server.port(), .more = {"interval = \"1h\""}});
  start();
  EXPECT_THAT(run({"status"}).out, HasSubstr(", next 2"));
  change_state(home.state_dir(), "UPDATE account SET next_sync = 1000000000");
  EXPECT_THAT(run({"status"}).out, AllOf(HasSubstr("home: ok, last success "), HasSubstr(", next now\n")));
  EXPECT_EQ(of_account("next_sync"), "2001-09-09T01:46:40Z");
}

struct Mistaken : Status {
  void make_mistake() const { home.configure_with("[daemon]\nhsot = \"x\"\n"); }
  void reload() {
    const std::string before = told("configuration.read_at");
    EXPECT_TRUE(comes_true([&] {
      daemon->signal(SIGHUP);
      return told("configuration.read_at") > before;
    }));
  }
};

TEST_F(Mistaken, ConfigurationIsNamedAndTheStateAnswers) {
  start();
  make_mistake();
  const ProgramResult text = run({"status"});
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.err, HasSubstr(home.config_file() + ":2:1: unknown key \"hsot\""));
  EXPECT_THAT(text.out, AllOf(HasSubstr("popsync runs, pid " + std::to_string(daemon->pid())), HasSubstr(", with the configuration of "),
                              HasSubstr("in the configuration: what follows is what the state knows\n"), HasSubstr("home: ok, last success ")));
  EXPECT_THAT(text.out, AllOf(HasSubstr(home.config_file() + " was changed at "),
                              HasSubstr(", after popsync read it: mend it, then kill -HUP " + std::to_string(daemon->pid()) + "\n")));
  const ProgramResult json = run({"status", "--json", "--exit-code"});
  EXPECT_EQ(json.status, 78);
  EXPECT_EQ(json_at(json.out, "daemon.running"), "true");
  EXPECT_EQ(json_at(json.out, "configuration.mistakes[0].file"), home.config_file());
  EXPECT_EQ(json_at(json.out, "configuration.mistakes[0].line"), "2");
  EXPECT_EQ(json_at(json.out, "configuration.mistakes[0].column"), "1");
  EXPECT_THAT(json_at(json.out, "configuration.mistakes[0].text"), HasSubstr("unknown key \"hsot\""));
  EXPECT_NE(json_at(json.out, "configuration.changed_at"), "null");
  EXPECT_EQ(json_at(json.out, "accounts[0].name"), "home");
  EXPECT_EQ(json_at(json.out, "accounts[0].state"), "ok");
  EXPECT_EQ(json_at(json.out, "accounts[0].seen"), "3");
}

TEST_F(Mistaken, ConfigurationHidesNoFailingAccount) {
  put_a_file_in_the_way();
  ASSERT_EQ(run({"sync"}).status, 73);
  make_mistake();
  const ProgramResult status = run({"status", "--failing"});
  EXPECT_EQ(status.status, 0);
  EXPECT_THAT(status.out, AllOf(HasSubstr("popsync does not run (mend the configuration, then start it with: "), HasSubstr("Not a directory")));
  EXPECT_EQ(run({"status", "home"}).status, 0);
  EXPECT_EQ(run({"status", "hme"}).status, 64);
  EXPECT_EQ(run({"status", "--exit-code"}).status, 78);
  EXPECT_EQ(run({"sync"}).status, 78);
}

TEST_F(Mistaken, ConfigurationWithoutAStateIsAnsweredToo) {
  make_mistake();
  const ProgramResult json = run({"status", "--json"});
  EXPECT_EQ(json.status, 0);
  EXPECT_EQ(json_at(json.out, "accounts"), "[]");
  EXPECT_EQ(json_at(json.out, "configuration.read_at"), "null");
  EXPECT_THAT(run({"status"}).out, HasSubstr("1 mistake in the configuration"));
}

TEST_F(Mistaken, FolderOfTheConfigurationIsOneMistake) {
  start();
  (void)home.folder().write("config/conf.d", "no folder");
  const ProgramResult json = run({"status", "--json"});
  EXPECT_EQ(json.status, 0);
  EXPECT_THAT(json_at(json.out, "configuration.mistakes[0].text"), HasSubstr("conf.d cannot be read"));
  EXPECT_EQ(json_at(json.out, "configuration.mistakes[0].line"), "null");
  EXPECT_EQ(json_at(json.out, "accounts[0].state"), "ok");
}

TEST_F(Mistaken, ReloadKeepsWhatIsInForceAndWhenItWasRead) {
  start();
  const std::string read_at = told("configuration.read_at");
  make_mistake();
  daemon->signal(SIGHUP);
  ASSERT_TRUE(daemon->wait_for_err("stays in force"));
  EXPECT_EQ(told("configuration.read_at"), read_at);
  EXPECT_NE(told("configuration.changed_at"), "null");
  home.configure({.port = server.port()});
  EXPECT_THAT(run({"status"}).out, HasSubstr(", after popsync read it: kill -HUP "));
  reload();
  EXPECT_EQ(told("configuration.changed_at"), "null");
}

TEST_F(Status, TellsOfAFileThatWasChangedAfterItWasRead) {
  const auto changed = [&] { return run({"status"}).out; };
  fs::create_directories(home.folder() / "config/conf.d");
  start();
  EXPECT_THAT(changed(), Not(HasSubstr("was changed at")));
  EXPECT_EQ(told("configuration.changed_at"), "null");
  (void)home.folder().write("config/conf.d/more.toml", "[daemon]\n");
  EXPECT_THAT(changed(), HasSubstr("conf.d/more.toml was changed at "));
  fs::remove(home.folder() / "config/conf.d/more.toml");
  EXPECT_THAT(changed(), Not(HasSubstr("was changed at"))) << "it is as it was";
  fs::rename(home.config_file(), home.config_file() + ".old");
  fs::copy_file(home.config_file() + ".old", home.config_file());
  EXPECT_THAT(changed(), AllOf(HasSubstr(home.config_file() + " was changed at "), HasSubstr(", after popsync read it: kill -HUP ")));
}

TEST_F(Status, ADaemonOfAServiceManagerIsReloadedThroughIt) {
  ProgramCall call = home.call({"run"});
  call.environment["NOTIFY_SOCKET"] = manager.path();
  daemon = std::make_unique<ProgramRun>(call);
  ASSERT_TRUE(manager.wait_for("READY=1"));
  fs::create_directories(home.folder() / "config/conf.d");
  (void)home.folder().write("config/conf.d/more.toml", "[daemon]\n");
  const std::string systemctl = ::geteuid() == 0 ? "systemctl reload popsync\n" : "systemctl --user reload popsync\n";
  EXPECT_THAT(run({"status"}).out, HasSubstr(", after popsync read it: " + systemctl));
}

TEST_F(Status, NamesTheConfigurationOfADaemonThatHasAnother) {
  start();
  ProgramCall call = home.call({"status"});
  const std::string copy = home.folder() / "copy.toml";
  fs::copy_file(home.config_file(), copy);
  std::ranges::replace(call.arguments, home.config_file(), copy);
  EXPECT_THAT(run_program(call).out, AllOf(HasSubstr("with the configuration " + home.config_file() + " of "), Not(HasSubstr("was changed"))));
}

}  // namespace
}  // namespace popsync::test
