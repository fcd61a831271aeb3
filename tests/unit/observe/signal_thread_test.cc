// SPDX-License-Identifier: MIT
#include "observe/signal_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"

namespace popsync::observe {
namespace {

using testing::ElementsAre;

// Blocks the signals for the test and puts the old mask back. Every wait ends with a signal or, for a test that fails, by ctest.
class SignalThreadTest : public testing::Test {
 protected:
  SignalThreadTest() {
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before_);
    SignalThread::block_signals();
  }
  ~SignalThreadTest() override { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  void note(int signal) {
    const std::lock_guard lock(mutex_);
    seen_.push_back(signal);
    changed_.notify_all();
  }
  std::vector<int> await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return seen_.size() >= count; });
    return seen_;
  }

 private:
  sigset_t before_{};
  std::mutex mutex_;  // guards seen_
  std::condition_variable changed_;
  std::vector<int> seen_;
};

TEST_F(SignalThreadTest, EachSignalReachesTheHandler) {
  const SignalThread thread([this](int signal) { note(signal); });
  std::size_t count = 0;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
    ASSERT_EQ(::kill(::getpid(), signal), 0);
    EXPECT_EQ(await(++count).back(), signal);
  }
}

TEST_F(SignalThreadTest, OtherSignalsAreNoReasonForTheLastResort) {
  std::promise<void> left;
  const SignalThread thread([this](int signal) { note(signal); }, {.patience = std::chrono::milliseconds(1), .leave = [&] { left.set_value(); }});
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  await(1);
  EXPECT_EQ(left.get_future().wait_for(std::chrono::milliseconds(0)), std::future_status::timeout) << "nobody was told to end";
}

TEST_F(SignalThreadTest, LastResortComesByItselfBehindTheFirstStop) {
  std::promise<void> left;
  const SignalThread thread([](int) {}, {.patience = std::chrono::milliseconds(1), .leave = [&] { left.set_value(); }});
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  left.get_future().wait();
}

TEST_F(SignalThreadTest, SecondStopIsTheLastResortAtOnce) {
  std::promise<void> left;
  const SignalThread thread([this](int signal) { note(signal); }, {.patience = std::chrono::hours(24), .leave = [&] { left.set_value(); }});
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_THAT(await(1), ElementsAre(SIGTERM));
  ASSERT_EQ(::kill(::getpid(), SIGINT), 0);
  left.get_future().wait();
}

TEST_F(SignalThreadTest, SignalThatCameBeforeTheThreadIsNotLost) {
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  const SignalThread thread([this](int signal) { note(signal); });
  EXPECT_THAT(await(1), ElementsAre(SIGTERM));
}

TEST_F(SignalThreadTest, DestructorEndsTheThreadWithoutASignal) {
  {
    const SignalThread thread([this](int signal) { note(signal); });
  }
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  const SignalThread next([this](int signal) { note(-signal); });
  EXPECT_THAT(await(1), ElementsAre(-SIGHUP)) << "the signal stays pending for who comes next";
}

TEST_F(SignalThreadTest, HandlerIsCalledOnAThreadOfItsOwn) {
  std::thread::id handler;
  {
    const SignalThread thread([&](int signal) {
      handler = std::this_thread::get_id();
      note(signal);
    });
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    await(1);
  }
  EXPECT_NE(handler, std::this_thread::get_id());
}

// An exception of whatever type is told, and neither ends the process nor keeps the next signal from the handler.
TEST_F(SignalThreadTest, WhatAHandlerThrowsIsLoggedAndTheNextSignalIsHeard) {
  testing::internal::CaptureStderr();
  {
    const SignalThread thread([this](int signal) {
      note(signal);
      if (signal == SIGHUP) throw Error(ErrorCode::io_error, "an error of ours");
      if (signal == SIGUSR1) throw std::runtime_error("an exception of a library\n");
      if (signal == SIGUSR2) throw 42;  // NOLINT(hicpp-exception-baseclass): of any type
    });
    std::size_t count = 0;
    for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM}) {
      ASSERT_EQ(::kill(::getpid(), signal), 0);
      EXPECT_EQ(await(++count).back(), signal);
    }
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, testing::HasSubstr("a signal could not be dealt with: an error of ours\n"));
  EXPECT_THAT(said, testing::HasSubstr("a signal could not be dealt with: an exception of a library\\x0a\n"));
  EXPECT_THAT(said, testing::HasSubstr("a signal could not be dealt with: an exception of an unknown type\n"));
}

TEST_F(SignalThreadTest, AStopWhoseHandlerThrowsIsStillFollowedByTheLastResort) {
  std::promise<void> left;
  testing::internal::CaptureStderr();
  {
    const SignalThread thread([](int) { throw std::bad_alloc(); }, {.patience = std::chrono::milliseconds(1), .leave = [&] { left.set_value(); }});
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    left.get_future().wait();
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("could not be dealt with: "));
}

TEST_F(SignalThreadTest, BlockedSignalsAreInheritedByLaterThreads) {
  sigset_t inherited;
  ::sigemptyset(&inherited);
  std::jthread([&] { ::pthread_sigmask(SIG_SETMASK, nullptr, &inherited); }).join();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) EXPECT_EQ(::sigismember(&inherited, signal), 1) << signal;
  EXPECT_EQ(::sigismember(&inherited, SIGCHLD), 0);
}

}  // namespace
}  // namespace popsync::observe
