// SPDX-License-Identifier: MIT
// The lock of another program keeps popsync out of the mbox, and popsync leaves none behind.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>

#include <string>

#include "base/unique_fd.h"
#include "interop/mbox_with_others.h"
#include "support/skip.h"

namespace popsync::test {
namespace {

constexpr std::size_t kMessages = 30;

// Tells that somebody who had the file open for writing has closed it, be it that he has written or that he could not lock it.
class ClosedByWriter {
 public:
  explicit ClosedByWriter(const std::string& file) : queue_(::inotify_init1(IN_CLOEXEC)) {
    EXPECT_GE(::inotify_add_watch(queue_.get(), file.c_str(), IN_CLOSE_WRITE), 0) << file;
  }
  [[nodiscard]] bool wait() const {
    constexpr int kPatience = 60'000;
    pollfd event{.fd = queue_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&event, 1, kPatience) == 1;
  }

 private:
  UniqueFd queue_;
};

struct MboxLocks : MboxWithOthers, testing::WithParamInterface<Locker> {};

TEST_P(MboxLocks, NothingIsWrittenWhileTheLockOfAnotherIsThere) {
  const Locker& locker = GetParam();
  POPSYNC_REQUIRE_PROGRAM(locker.program);
  mail_comes(kMessages);
  ASSERT_EQ(run_program(shell(locker.lock)).status, 0);
  const ClosedByWriter tried(mbox());
  const auto sync = home.start({"sync"});
  ASSERT_TRUE(tried.wait());
  EXPECT_EQ(content_of(mbox()), kFirst);
  ASSERT_EQ(run_program(shell(locker.unlock)).status, 0);
  EXPECT_EQ(sync->wait().status, 0) << sync->err();
  EXPECT_EQ(entries().size(), kMessages + 1);
  // And ours is away: the other gets it at once.
  EXPECT_EQ(run_program(shell(locker.lock)).status, 0);
  EXPECT_EQ(run_program(shell(locker.unlock)).status, 0);
}

INSTANTIATE_TEST_SUITE_P(Of, MboxLocks, testing::ValuesIn(lockers()), [](const auto& tested) { return tested.param.program; });

}  // namespace
}  // namespace popsync::test
