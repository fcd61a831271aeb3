// SPDX-License-Identifier: MIT
#include "state/in_use.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "state/account_lock.h"
#include "unit/config/temp_folder.h"

namespace popsync::state {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A process that has done `what` and lives until it is killed.
class Other {
 public:
  explicit Other(const std::function<void()>& what) {
    int ready[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      what();
      (void)!::write(ready[1], "x", 1);
      while (true) ::pause();
    }
    ::close(ready[1]);
    char octet = 0;
    EXPECT_EQ(::read(ready[0], &octet, 1), 1);
    ::close(ready[0]);
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;
  ~Other() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] std::string pid() const { return "pid " + std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
};

class InUseTest : public testing::Test {
 protected:
  InUseTest() { std::filesystem::create_directory(path() + "/locks"); }
  [[nodiscard]] std::string path() const { return folder_.path(); }
  [[nodiscard]] InUse share() const { return InUse::share(path(), 0ms); }
  // Why it cannot be shared, or empty.
  [[nodiscard]] std::string refusal() const {
    try {
      (void)share();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::lock_held);
      return error.what();
    }
    return "";
  }
  // Leaves the lock to the end of the process.
  void share_for_good() const { new InUse(share()); }

  config::TempFolder folder_;
};

TEST_F(InUseTest, IsSharedByAnyNumberOfProcessesAndWithinOne) {
  const Other other([this] { share_for_good(); });
  const InUse one = share();
  EXPECT_EQ(refusal(), "");
}

TEST_F(InUseTest, IsNotHadAloneBesideAnotherWhichIsNamed) {
  Other other([this] { share_for_good(); });
  InUse ours = share();
  const auto in_the_way = ours.try_alone(false);
  ASSERT_TRUE(in_the_way);
  EXPECT_THAT(*in_the_way, HasSubstr(other.pid()));
  other.kill();  // what it held goes with it
  EXPECT_FALSE(ours.try_alone(false));
}

TEST_F(InUseTest, AloneNobodySharesItUntilItIsSharedAgain) {
  InUse ours = share();
  ASSERT_FALSE(ours.try_alone(false));
  EXPECT_THAT(refusal(), HasSubstr("pid " + std::to_string(::getpid())));
  ours.share_again();
  InUse theirs = share();
  EXPECT_TRUE(theirs.try_alone(false));  // it is shared, not free
}

TEST_F(InUseTest, AnotherThatIsKilledWhileItIsAloneLeavesNothing) {
  Other other([this] { ASSERT_FALSE((new InUse(share()))->try_alone(false)); });
  EXPECT_THAT(refusal(), HasSubstr(other.pid()));
  other.kill();
  InUse ours = share();
  EXPECT_FALSE(ours.try_alone(false));
}

TEST_F(InUseTest, OfTwoThatWantItAloneOneGetsIt) {
  InUse one = share();
  InUse two = share();
  EXPECT_TRUE(one.try_alone(false));  // and lets go of its share
  EXPECT_FALSE(two.try_alone(false));
  EXPECT_TRUE(one.try_alone(false));
  two.share_again();
  EXPECT_EQ(refusal(), "");
}

TEST_F(InUseTest, IsNotHadAloneBesideTheDaemonOfAnOlderVersion) {
  const Other daemon([this] { new FileLock(*FileLock::try_take(path() + "/daemon.lock", "popsync run")); });
  InUse ours = share();
  EXPECT_THAT(ours.try_alone(false).value_or(""), AllOf(HasSubstr("popsync run"), HasSubstr(daemon.pid())));
  EXPECT_EQ(refusal(), "");
}

TEST_F(InUseTest, DaemonItselfIsNotInItsOwnWay) {
  const auto daemon = FileLock::try_take(path() + "/daemon.lock", "popsync run");
  InUse ours = share();
  EXPECT_TRUE(ours.try_alone(false));
  EXPECT_FALSE(ours.try_alone(true));
}

TEST_F(InUseTest, IsNotHadAloneBesideACommandOfAnOlderVersion) {
  const Other sync([this] { new FileLock(lock_account(path(), "0123456789abcdef", "popsync sync", 0ms, StopSignal(std::stop_token()))); });
  InUse ours = share();
  EXPECT_THAT(ours.try_alone(false).value_or(""), AllOf(HasSubstr("popsync sync"), HasSubstr(sync.pid())));
}

TEST_F(InUseTest, AMissingFolderIsUnavailable) {
  try {
    (void)InUse::share(path() + "/none", 0ms);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::state_unavailable);
  }
}

}  // namespace
}  // namespace popsync::state
