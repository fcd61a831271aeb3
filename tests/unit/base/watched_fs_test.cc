// SPDX-License-Identifier: MIT
#include "base/watched_fs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/mount_table.h"
#include "support/forwarding_fs.h"

namespace popsync {
namespace {

using namespace std::chrono_literals;

// Does not answer until it is told to.
class SilentFs : public test::ForwardingFs {
 public:
  std::optional<UniqueFd> open_root(const std::string& path) override {
    wait();
    return ForwardingFs::open_root(path);
  }
  std::vector<std::string> list(int dir) override {
    wait();
    return ForwardingFs::list(dir);
  }
  void be_silent() { set(true); }
  void answer() { set(false); }
  void await_caller() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return callers_ > 0; });
  }

 private:
  void set(bool silent) {
    const std::lock_guard lock(mutex_);
    silent_ = silent;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ++callers_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !silent_; });
    --callers_;
  }
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool silent_ = false;
  int callers_ = 0;
};

struct Watched : testing::Test {
  Watched() { folder = std::filesystem::canonical(::mkdtemp(folder.data())); }
  ~Watched() override { std::filesystem::remove_all(folder); }

  std::string folder = testing::TempDir() + "watchedXXXXXX";
  ManualClock clock;
  SilentFs disk;
  int late_answers = 0;
  WatchedFs fs{disk, clock, [this] { ++late_answers; }};
};

TEST_F(Watched, TellsSinceWhenAndWhereSomebodyWaits) {
  const UniqueFd root = std::move(*fs.open_root(folder));
  EXPECT_EQ(fs.waits_since(), std::nullopt);
  disk.be_silent();
  const SteadyTime begun = clock.steady();
  std::jthread session([&] { (void)fs.list(root.get()); });
  disk.await_caller();
  clock.advance(kHangsAfter);
  EXPECT_EQ(fs.waits_since(), begun);
  EXPECT_EQ(fs.waits_at().path, folder);
  EXPECT_EQ(fs.waits_at().disk, MountTable::now().disk_at(folder));
  disk.answer();
  session.join();
  EXPECT_EQ(fs.waits_since(), std::nullopt);
  EXPECT_EQ(late_answers, 1);
}

TEST_F(Watched, AnswerInTimeIsNoNews) {
  disk.be_silent();
  std::jthread session([&] { (void)fs.open_root(folder); });
  disk.await_caller();
  EXPECT_EQ(fs.waits_at().path, folder);
  clock.advance(kHangsAfter - 1ms);
  disk.answer();
  session.join();
  EXPECT_EQ(late_answers, 0);
}

TEST_F(Watched, RemembersWhereALinkLed) {
  std::filesystem::create_directory(folder + "/real");
  ASSERT_EQ(::symlink("real", (folder + "/link").c_str()), 0);
  EXPECT_EQ(fs.known_path(folder + "/link"), folder + "/link");
  (void)fs.open_root(folder + "/link");
  EXPECT_EQ(fs.known_path(folder + "/link"), folder + "/real");
}

TEST_F(Watched, CallsPastTheSeamAreNotedToo) {
  const UniqueFd root = std::move(*fs.open_root(folder));
  fs.beside(root.get(), [&] { EXPECT_EQ(fs.waits_at().path, folder); });
  fs.touch(folder + "/secret", [&] { EXPECT_EQ(fs.waits_at().path, folder + "/secret"); });
  bool called = false;
  fs.touch("", [&] {
    called = true;
    EXPECT_EQ(fs.waits_since(), std::nullopt);
  });
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace popsync
