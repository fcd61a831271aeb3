// SPDX-License-Identifier: MIT
// What popsync delivers is a Maildir for those who read it: notmuch and mu index every message, and nothing of ours that is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/skip.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;

struct MailReaders : testing::Test {
  // Well-formed messages: indexers skip what has no header.
  void deliver() {
    for (std::string& message : realistic_messages(200, 7)) server.add(std::move(message));
    home.configure({.port = server.port()});
    ASSERT_EQ(home.run({"sync"}).status, 0);
    ASSERT_EQ(messages_in(home.maildir()).size(), 200U);
  }
  ProgramResult run(const std::string& program, std::vector<std::string> arguments) {
    std::map<std::string, std::string> environment = {
        {"HOME", home.folder() / "home"}, {"LANG", "C.UTF-8"}, {"NAME", "Ada"}, {"EMAIL", "ada@example.org"}};
    for (const char* part : {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}) {
      environment[part] = home.folder().make(std::string("home/") + part);
    }
    ProgramResult result = run_program({.arguments = std::move(arguments), .environment = environment, .program = program});
    EXPECT_EQ(result.status, 0) << program << ": " << result.out << result.err;
    return result;
  }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(MailReaders, NotmuchIndexesEveryMessage) {
  POPSYNC_REQUIRE_PROGRAM("notmuch");
  deliver();
  const std::string config = home.folder().write("home/notmuch-config", "[database]\npath=" + home.maildir() + "\n[new]\ntags=new\n");
  run("notmuch", {"--config=" + config, "new"});
  EXPECT_EQ(run("notmuch", {"--config=" + config, "count", "--output=files", "*"}).out, "200\n");
  server.add(small_message("later"));
  ASSERT_EQ(home.run({"sync"}).status, 0);
  EXPECT_THAT(run("notmuch", {"--config=" + config, "new"}).out, HasSubstr("1 new message"));
  EXPECT_THAT(run("notmuch", {"--config=" + config, "search", "subject:later"}).out, HasSubstr("later"));
}

TEST_F(MailReaders, NotmuchSeesNothingOfStaging) {
  POPSYNC_REQUIRE_PROGRAM("notmuch");
  for (int i = 0; i < 5; ++i) server.add(small_message(std::to_string(i)));
  home.configure({.port = server.port()});
  server.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = 4, .octets = 50}; });
  const auto sync = home.start({"sync"});
  ASSERT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
  const std::string config = home.folder().write("home/notmuch-config", "[database]\npath=" + home.maildir() + "\n[new]\ntags=new\n");
  run("notmuch", {"--config=" + config, "new"});
  const std::size_t published = messages_in(home.maildir()).size();
  EXPECT_EQ(run("notmuch", {"--config=" + config, "count", "--output=files", "*"}).out, std::to_string(published) + "\n");
  server.release_stalled();
  EXPECT_EQ(sync->wait().status, 0);
}

TEST_F(MailReaders, MuIndexesEveryMessage) {
  POPSYNC_REQUIRE_PROGRAM("mu");
  deliver();
  const std::string cache = "--muhome=" + home.folder().make("home/mu");
  run("mu", {"init", cache, "--maildir=" + home.maildir()});
  run("mu", {"index", cache});
  const std::string found = run("mu", {"find", cache, "--fields=l", "maildir:/"}).out;
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 200);
}

}  // namespace
}  // namespace popsync::test
