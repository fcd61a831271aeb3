// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace popsync {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    set_log_level(LogLevel::info);
    log_to_stderr(LogFormat::bare);
  }

  template <typename Work>
  static std::string logged(LogFormat format, Work&& work) {
    testing::internal::CaptureStderr();
    log_to_stderr(format);
    work();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, ABareLineHasNoTimeAndNamesTheAccount) {
  EXPECT_EQ(logged(LogFormat::bare, [] { log_info("work", "3 messages"); }), "work: 3 messages\n");
  EXPECT_EQ(logged(LogFormat::bare, [] { log_info("", "started"); }), "started\n");
}

TEST_F(LogTest, LinesAreWrittenInTheirFrame) {
  EXPECT_EQ(logged(LogFormat::bare,
                   [] {
                     frame_log([](const std::function<void()>& write) {
                       std::cerr << "<";
                       write();
                       std::cerr << ">";
                     });
                     log_info("", "framed");
                     frame_log({});
                     log_info("", "not framed");
                   }),
            "<framed\n>not framed\n");
}

TEST_F(LogTest, WarningsAndErrorsSaySo) {
  EXPECT_EQ(logged(LogFormat::bare, [] { log_warning("work", "odd"); }), "warning: work: odd\n");
  EXPECT_EQ(logged(LogFormat::bare, [] { log_error("work", "bad"); }), "error: work: bad\n");
}

TEST_F(LogTest, APlainLineBeginsWithTheTime) {
  EXPECT_THAT(logged(LogFormat::plain, [] { log_info("work", "odd"); }),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z work: odd\n"));
}

TEST_F(LogTest, AJsonLineIsOneObject) {
  const std::string line = logged(LogFormat::json, [] { log_warning("work", R"(a "b" \c)"); });
  EXPECT_THAT(line, StartsWith("{\"time\":\"2"));
  EXPECT_THAT(line, EndsWith(R"(Z","level":"warning","account":"work","message":"a \"b\" \\c"})"
                             "\n"));
}

TEST_F(LogTest, ANewlineCannotBeginALineOfItsOwn) {
  for (const LogFormat format : {LogFormat::bare, LogFormat::plain, LogFormat::json}) {
    const std::string line = logged(format, [] { log_info("work", "one\nerror: forged\r\x1b[2J"); });
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_THAT(line, HasSubstr(format == LogFormat::json ? "one\\\\x0aerror: forged" : "one\\x0aerror: forged"));
  }
}

TEST_F(LogTest, ALineHasALimit) {
  const std::string line = logged(LogFormat::bare, [] { log_info("", std::string(1'000'000, 'x')); });
  EXPECT_TRUE(line == std::string(4096, 'x') + "\u2026\n") << line.size() << " octets";
}

TEST_F(LogTest, LinesBelowTheLevelAreDropped) {
  const auto all = [] {
    log_debug("", "debug");
    log_info("", "info");
    log_warning("", "odd");
    log_error("", "bad");
  };
  EXPECT_EQ(logged(LogFormat::bare, all), "info\nwarning: odd\nerror: bad\n");
  set_log_level(LogLevel::error);
  EXPECT_EQ(logged(LogFormat::bare, all), "error: bad\n");
  set_log_level(LogLevel::debug);
  EXPECT_EQ(logged(LogFormat::bare, all), "debug\ninfo\nwarning: odd\nerror: bad\n");
}

TEST_F(LogTest, WhatWasThrownIsTold) {
  const auto thrown = [](const std::function<void()>& work) {
    return logged(LogFormat::bare, [&] {
      try {
        work();
      } catch (...) {
        log_thrown("work", "cannot");
      }
    });
  };
  EXPECT_EQ(thrown([] { throw Error(ErrorCode::io_error, "it broke", "mend it"); }), "error: work: cannot: it broke; mend it\n");
  EXPECT_EQ(thrown([] { throw std::runtime_error("foreign\n"); }), "error: work: cannot: foreign\\x0a\n");
  EXPECT_EQ(thrown([] { throw 42; }), "error: work: cannot: an exception of an unknown type\n");
}

TEST_F(LogTest, LinesOfSeveralThreadsStayWhole) {
  const std::string text = logged(LogFormat::bare, [] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([] {
        for (int line = 0; line < 100; ++line) log_info("work", std::string(200, 'x'));
      });
    }
  });
  std::string expected;
  for (int i = 0; i < 400; ++i) expected += "work: " + std::string(200, 'x') + "\n";
  EXPECT_EQ(text, expected);
}

}  // namespace
}  // namespace popsync
