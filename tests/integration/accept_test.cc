// SPDX-License-Identifier: MIT
// popsync accept: what stops an account is shown, named and taken, and nothing else is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/clock.h"
#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/notify_socket.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Accept : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 3; ++i) server.add(small_message("message " + std::to_string(i)));
    home.configure({.port = server.port()});
  }
  ProgramResult sync() { return home.run({"sync"}); }
  ProgramResult accept(const std::string& option) { return home.run({"accept", "home", option}); }
  std::string fetched() { return json_at(home.run({"sync", "--json"}).out, "accounts[0].fetched"); }
  // A Maildir that another program has filled, with `count` of the server's messages.
  void put_foreign_mail(std::size_t count = 1, const std::string& name = "home") {
    for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home.maildir(name) + "/" + part);
    const auto messages = server.messages();
    for (std::size_t i = 0; i < count; ++i) {
      (void)home.folder().write("mail/" + name + "/cur/" + std::to_string(i) + ".x.host:2,S", octets_stored(messages.at(i)));
    }
  }
  void configure_mbox() {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                        "\nuser = \"alice\"\npassword = \"open-sesame\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox() + "\"\n");
  }
  [[nodiscard]] std::string mbox() const { return home.folder() / "mail/box"; }
  void expect_stopped(const std::string& text) {
    const ProgramResult result = sync();
    EXPECT_EQ(result.status, 78);
    EXPECT_THAT(result.err, AllOf(HasSubstr(text), HasSubstr("`popsync seed home`"), HasSubstr("`popsync accept home`")));
    EXPECT_EQ(json_at(home.run({"status", "--json"}).out, "accounts[0].state"), "needs_operator");
    EXPECT_EQ(server.record().count("USER"), 0U);
  }

  MaildropServer server;
  ProgramHome home;
};

using ForeignMail = Accept;

TEST_F(ForeignMail, StopsTheFirstSyncIntoAMaildirBeforeItConnects) {
  put_foreign_mail(2);
  expect_stopped("holds 2 messages");
  EXPECT_THAT(sync().err, HasSubstr("`popsync adopt home`"));
  EXPECT_EQ(messages_in(home.maildir()).size(), 2U);
  EXPECT_FALSE(fs::exists(home.maildir() + "/tmp/.popsync"));
}

TEST_F(ForeignMail, CheckAndTheDryRunSayTheSameBeforeThereIsAnyState) {
  put_foreign_mail();
  for (const std::vector<std::string>& command : {std::vector<std::string>{"check"}, std::vector<std::string>{"sync", "--dry-run"}}) {
    const ProgramResult result = home.run(command);
    EXPECT_EQ(result.status, 78) << command.back();
    EXPECT_THAT(result.out + result.err, AllOf(HasSubstr("holds 1 message"), HasSubstr("`popsync accept home`"))) << command.back();
  }
  EXPECT_FALSE(fs::exists(home.state_dir()));
  sync();
  EXPECT_EQ(home.run({"check"}).status, 78);
  EXPECT_EQ(home.run({"sync", "--dry-run"}).status, 78);
}

TEST_F(ForeignMail, AcceptedBeforeTheFirstSyncAllIsFetchedBesideIt) {
  put_foreign_mail();
  const ProgramResult accepted = accept("--foreign-mail");
  EXPECT_EQ(accepted.status, 0) << accepted.err;
  EXPECT_THAT(accepted.out, AllOf(HasSubstr("holds 1 message"), HasSubstr("home: goes on with")));
  EXPECT_EQ(home.run({"check"}).status, 0);
  EXPECT_EQ(fetched(), "3");
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
}

TEST_F(ForeignMail, AdoptAnswersTheQuestion) {
  put_foreign_mail(2);
  sync();
  const ProgramResult adopt = home.run({"adopt", "home"});
  EXPECT_EQ(adopt.status, 0) << adopt.err;
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()), as_stored(server.messages()));
}

TEST_F(ForeignMail, SeedAnswersTheQuestionAlsoWhereTheServerHasNothing) {
  put_foreign_mail(2);
  for (const std::string& uid : server.uids()) server.remove(uid);
  const ProgramResult seed = home.run({"seed", "home"});
  EXPECT_EQ(seed.status, 0) << seed.err;
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(messages_in(home.maildir()).size(), 3U);
}

TEST_F(ForeignMail, SeedAnswersItForAnMboxToo) {
  (void)home.folder().write("mail/box", "From you Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nbody\n");
  configure_mbox();
  EXPECT_EQ(home.run({"seed", "home"}).status, 0);
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
  EXPECT_EQ(entries_of(content_of(mbox())).size(), 2U);
}

TEST_F(ForeignMail, StopsTheFirstSyncIntoAnMbox) {
  const std::string foreign = "From you Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nbody\n";
  (void)home.folder().write("mail/box", foreign);
  configure_mbox();
  expect_stopped("the mbox");
  EXPECT_THAT(sync().err, Not(HasSubstr("adopt")));
  EXPECT_EQ(home.run({"check"}).status, 78);
  EXPECT_EQ(content_of(mbox()), foreign);
  EXPECT_EQ(accept("--foreign-mail").status, 0);
  EXPECT_EQ(fetched(), "3");
  EXPECT_EQ(entries_of(content_of(mbox())).size(), 4U);
}

TEST_F(ForeignMail, AnAccountThatKnowsItsMessagesMayMoveToWhereMailIs) {
  EXPECT_EQ(fetched(), "3");
  put_foreign_mail(2, "elsewhere");
  home.configure({.port = server.port(), .maildir = home.maildir("elsewhere")});
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), "1");
}

TEST_F(ForeignMail, AMaildirOfAnotherAccountHasTheMarkOfPopsync) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  EXPECT_EQ(fetched(), "3");
  home.configure_all({{.name = "home", .port = server.port()}, {.name = "bob", .port = server.port(), .user = "bob", .maildir = home.maildir()}});
  EXPECT_EQ(sync().status, 0);
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
}

TEST_F(ForeignMail, OtherAccountsGoOn) {
  server.add_user("bob", "open-sesame");
  server.add_to("bob", small_message("for bob"));
  put_foreign_mail();
  home.configure_all({{.name = "home", .port = server.port()}, {.name = "bob", .port = server.port(), .user = "bob"}});
  EXPECT_EQ(sync().status, 78);
  EXPECT_EQ(messages_in(home.maildir("bob")), as_stored({small_message("for bob")}));
}

TEST_F(Accept, InAScriptTheReasonHasToBeNamed) {
  put_foreign_mail();
  const ProgramResult result = home.run({"accept", "home"});
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.err, AllOf(HasSubstr("asks on a terminal"), HasSubstr("--foreign-mail")));
  expect_stopped("holds 1 message");
}

TEST_F(Accept, AnAnswerThatDoesNotFitTakesNothing) {
  put_foreign_mail();
  for (const std::string option : {"--mailstore", "--gone"}) {
    const ProgramResult result = accept(option);
    EXPECT_EQ(result.status, 64) << option;
    EXPECT_THAT(result.err, AllOf(HasSubstr(option + " does not fit"), HasSubstr("--foreign-mail"))) << option;
  }
  EXPECT_EQ(home.run({"accept", "home", "--foreign-mail", "--gone"}).status, 64);
  expect_stopped("holds 1 message");
}

TEST_F(Accept, WhereNothingIsStoppedThereIsNothingToAccept) {
  for (int i = 0; i < 2; ++i) {
    const ProgramResult result = accept("--mailstore");
    EXPECT_EQ(result.status, 64);
    EXPECT_THAT(result.err, HasSubstr("nothing has stopped home"));
    EXPECT_EQ(sync().status, 0);
  }
  EXPECT_EQ(home.run({"accept", "nobody", "--gone"}).status, 64);
  EXPECT_EQ(home.run({"accept"}).status, 64);
}

TEST_F(Accept, WhatAcceptDoesNotCoverKeepsItsOwnError) {
  fs::create_directories(home.maildir());
  (void)home.folder().write("mail/home/thesis.tex", "precious");
  const ProgramResult result = accept("--foreign-mail");
  EXPECT_EQ(result.status, 73);
  EXPECT_THAT(result.err, HasSubstr("holds files and is no Maildir"));
}

TEST_F(Accept, AMaildirThatIsGoneMayBeMadeAnewOrGivenUp) {
  for (const std::string option : {"--mailstore", "--gone"}) {
    EXPECT_EQ(sync().status, 0);
    fs::remove_all(home.maildir());
    EXPECT_EQ(sync().status, 73);
    const ProgramResult accepted = accept(option);
    EXPECT_EQ(accepted.status, 0) << accepted.err;
    EXPECT_THAT(accepted.out, HasSubstr("3 messages stored there, 3 of them not in what is there now"));
    EXPECT_EQ(fetched(), "0");
    EXPECT_EQ(home.run({"verify"}).status, 65);
    EXPECT_EQ(home.run({"refetch", "home", "--missing"}).status, 0);
    EXPECT_EQ(fetched(), "3");
  }
}

TEST_F(Accept, AnotherMaildirInItsPlaceIsTakenWithWhatItHas) {
  EXPECT_EQ(fetched(), "3");
  home.configure({.port = server.port(), .more = {"leave_on_server = false"}});
  fs::rename(home.maildir(), home.maildir() + ".away");
  for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home.maildir() + "/" + part);
  const fs::path kept = message_files(home.maildir() + ".away").front();
  fs::copy(kept, home.maildir() + "/cur/" + kept.filename().string() + ":2,S");
  EXPECT_EQ(sync().status, 73);
  EXPECT_THAT(accept("--mailstore").out, HasSubstr("2 messages not there; `popsync refetch home --missing`"));
  EXPECT_EQ(fetched(), "0");
  EXPECT_EQ(server.count(), 2U) << "what is not here stays on the server";
}

TEST_F(Accept, ASecondReasonStopsTheAccountAgain) {
  EXPECT_EQ(sync().status, 0);
  home.run({"refetch", "home", "--all", "--yes"});
  fs::remove_all(home.maildir());
  put_foreign_mail(3);
  EXPECT_EQ(sync().status, 73);
  EXPECT_EQ(accept("--gone").status, 0);
  EXPECT_EQ(sync().status, 78);
  EXPECT_EQ(accept("--foreign-mail").status, 0);
  EXPECT_EQ(fetched(), "3");
}

struct AcceptBesideTheDaemon : Accept {
  bool comes_true(const std::function<bool()>& what) const {
    const SteadyTime deadline = system_clock().steady() + std::chrono::seconds(60);
    while (!what()) {
      if (system_clock().steady() > deadline) return false;
    }
    return true;
  }
};

TEST_F(AcceptBesideTheDaemon, ItIsToldAndTriesAtOnce) {
  put_foreign_mail();
  const NotifySocket manager{home.folder() / "notify"};
  ProgramCall call = home.call({"run"});
  call.environment["NOTIFY_SOCKET"] = manager.path();
  ProgramRun daemon(call);
  ASSERT_TRUE(daemon.wait_for_err("`popsync accept home`"));
  ASSERT_TRUE(comes_true([&] { return json_at(home.run({"status", "--json"}).out, "accounts[0].state") == "needs_operator"; }));
  EXPECT_EQ(accept("--foreign-mail").status, 0);
  EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.quits >= 1; }, std::chrono::seconds(60)));
  EXPECT_TRUE(comes_true([&] { return json_at(home.run({"status", "--json"}).out, "accounts[0].state") == "ok"; }));
  EXPECT_EQ(messages_in(home.maildir()).size(), 4U);
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait().status, 0);
}

}  // namespace
}  // namespace popsync::test
