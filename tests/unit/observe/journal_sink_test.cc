// SPDX-License-Identifier: MIT
#include "observe/journal_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace popsync::observe {
namespace {

using testing::ElementsAre;

TEST(JournalSink, EntryNamesItsAccount) {
  EXPECT_THAT(journal_fields(LogLevel::info, "work", "3 messages"),
              ElementsAre("MESSAGE=work: 3 messages", "PRIORITY=6", "SYSLOG_IDENTIFIER=popsync", "POPSYNC_ACCOUNT=work"));
}

TEST(JournalSink, EntryAboutTheProgramHasNoAccount) {
  EXPECT_THAT(journal_fields(LogLevel::info, "", "ready"), ElementsAre("MESSAGE=ready", "PRIORITY=6", "SYSLOG_IDENTIFIER=popsync"));
}

TEST(JournalSink, LevelsAreSyslogPriorities) {
  EXPECT_EQ(journal_fields(LogLevel::debug, "", "")[1], "PRIORITY=7");
  EXPECT_EQ(journal_fields(LogLevel::info, "", "")[1], "PRIORITY=6");
  EXPECT_EQ(journal_fields(LogLevel::warning, "", "")[1], "PRIORITY=4");
  EXPECT_EQ(journal_fields(LogLevel::error, "", "")[1], "PRIORITY=3");
}

TEST(JournalSink, LogGoesThroughTheSinkWithoutAnythingOnStderr) {
  testing::internal::CaptureStderr();
  log_to(make_journal_sink());
  log_info("work", "a line of popsync's own tests");
  const std::string on_stderr = testing::internal::GetCapturedStderr();
  log_to_stderr(LogFormat::bare);
  EXPECT_EQ(on_stderr, "");
}

}  // namespace
}  // namespace popsync::observe
