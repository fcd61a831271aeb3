// SPDX-License-Identifier: MIT
// What stands on the terminal when a sync is over, and while it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

// The lines on a terminal that is wide and high enough, after what was written to it: of its control codes it knows those for "one line up" and
// "wipe the line".
std::vector<std::string> screen_after(std::string_view written) {
  std::vector<std::string> lines(1);
  std::size_t row = 0;
  std::size_t column = 0;
  while (!written.empty()) {
    if (written.starts_with("\x1b[A")) {
      row -= row == 0 ? 0 : 1;
      written.remove_prefix(3);
      continue;
    }
    if (written.starts_with("\x1b[2K")) {
      lines[row].clear();
      written.remove_prefix(4);
      continue;
    }
    const char c = written.front();
    written.remove_prefix(1);
    if (c == '\r') {
      column = 0;
    } else if (c == '\n') {
      if (++row == lines.size()) lines.emplace_back();
    } else {
      lines[row].resize(std::max(lines[row].size(), column + 1), ' ');
      lines[row][column++] = c;
    }
  }
  return lines;
}

// Two accounts at servers of their own; the second one's has more to say.
struct OnATerminal : testing::Test {
  void SetUp() override {
    first.add(small_message("one"));
    second.add(small_message("two"));
    first.change([](MaildropKnobs& knobs) { knobs.stall = Stall{.message = 1, .octets = 10}; });
  }
  void start(const AccountText& other) {
    home.configure_all({{.name = "first", .port = first.port()}, other});
    ProgramCall call = home.call({"sync"});
    call.on_terminal = true;
    call.environment["TERM"] = "xterm";
    sync = std::make_unique<ProgramRun>(call);
    ASSERT_TRUE(first.wait_for([](const MaildropRecord& record) { return record.stalled == 1; }));
    ASSERT_TRUE(sync->wait_for_out("first  ["));
  }
  std::vector<std::string> screen_at_the_end() {
    first.release_stalled();
    return screen_after(sync->wait().out);
  }

  MaildropServer first;
  MaildropServer second;
  ProgramHome home;
  std::unique_ptr<ProgramRun> sync;
};

TEST_F(OnATerminal, ErrorStaysAndBarsGo) {
  start({.name = "second", .port = second.port(), .host = "localhost", .password = "wrong"});
  ASSERT_TRUE(sync->wait_for_out("error: second"));
  const auto screen = screen_at_the_end();
  EXPECT_THAT(screen, AllOf(Contains(HasSubstr("error: second: login as alice refused")), Contains(HasSubstr("first: 1 message fetched"))));
  EXPECT_THAT(screen, Each(Not(HasSubstr("first  ")))) << "a bar";
}

TEST_F(OnATerminal, LineOfTheLogStaysAndBarsGo) {
  second.change([](MaildropKnobs& knobs) { knobs.uidl_lines = {{1, "? ? ?"}}; });
  start({.name = "second", .port = second.port(), .host = "localhost"});
  ASSERT_TRUE(sync->wait_for_out("made no sense"));
  const auto screen = screen_at_the_end();
  EXPECT_THAT(screen, AllOf(Contains(HasSubstr("warning: second: ")), Contains(HasSubstr("first: 1 message fetched"))));
  EXPECT_THAT(screen, Each(Not(HasSubstr("second  ")))) << "a bar";
}

}  // namespace
}  // namespace popsync::test
