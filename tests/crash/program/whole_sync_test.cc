// SPDX-License-Identifier: MIT
// The real program on real file systems: where there is no journal, a sync of the whole follows each group of syncs before anything relies on them;
// elsewhere none is made.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "support/skip.h"
#include "support/temp_folder.h"
#include "sweep.h"

namespace popsync::test {
namespace {

constexpr std::size_t kNever = 1'000'000;  // no run has so many stops

bool is_sync(const FileCall& call) { return call.name == "fsync" || call.name == "fdatasync"; }

bool moves_mail(const FileCall& call) { return call.name.starts_with("rename") && call.path.ends_with("/new"); }

std::size_t count_of(const TracedResult& run, const std::string& name) {
  return static_cast<std::size_t>(std::ranges::count(run.calls, name, &FileCall::name));
}

// Nothing is moved into the mailstore, and the program does not end, while a sync waits to be completed: by syncfs, and then by a sync of the same
// descriptor, which flushes the drive's cache.
void expect_each_group_completed(const TracedResult& run) {
  std::string open;
  std::string unflushed;
  for (const FileCall& call : run.calls) {
    if (call.name == "syncfs") {
      open.clear();
      unflushed = call.path;
    } else if (is_sync(call) && call.path == unflushed) {
      unflushed.clear();
    } else if (is_sync(call)) {
      open = call.name + " " + call.path;
    }
    if (!moves_mail(call)) continue;
    EXPECT_EQ(open + unflushed, "") << "is not completed before " << call.name << " " << call.path;
  }
  EXPECT_EQ(open + unflushed, "") << "is not completed at the end";
}

// As the program finds out, by other means: df knows the device, and /sys its journal.
bool lacks_journal(const std::string& folder) {
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0) return false;
  const auto block = "/sys/dev/block/" + std::to_string(major(found.st_dev)) + ":" + std::to_string(minor(found.st_dev));
  std::error_code ignored;
  const auto device = std::filesystem::canonical(block, ignored).filename().string();
  std::ifstream journal("/sys/fs/ext4/" + device + "/journal_task");
  std::string task;
  return static_cast<bool>(journal >> task) && task == "<none>";
}

// A new ext4 in a file, mounted for this process alone.
class LoopDisk {
 public:
  static std::unique_ptr<LoopDisk> make(const std::string& features) {
    std::unique_ptr<LoopDisk> disk(new LoopDisk);
    // Not to be seen by anybody else, and gone with this process. The tests' servers run in threads of their own and touch no file.
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0) return nullptr;
    const std::string image = disk->folder_ / "image";
    disk->mounted_ = run("mount", {"--make-rprivate", "/"}) && run("truncate", {"-s", "256M", image}) &&
                     run("mkfs.ext4", {"-q", "-F", "-O", features, image}) && run("mount", {"-o", "loop", image, disk->place_});
    return disk->mounted_ ? std::move(disk) : nullptr;
  }
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;
  ~LoopDisk() {
    if (mounted_) run("umount", {place_});
  }
  [[nodiscard]] const std::string& place() const { return place_; }

 private:
  LoopDisk() = default;
  static bool run(const std::string& program, const std::vector<std::string>& arguments) {
    try {
      return run_program({.arguments = arguments, .program = program}).status == 0;
    } catch (const std::runtime_error&) {
      return false;  // not installed
    }
  }

  TempFolder folder_{"loop"};
  std::string place_ = folder_.make("disk");
  bool mounted_ = false;
};

// Tests make their folders there, as long as it lives.
class TemporaryFoldersIn {
 public:
  explicit TemporaryFoldersIn(const std::string& place) {
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", place.c_str(), 1);
  }
  TemporaryFoldersIn(const TemporaryFoldersIn&) = delete;
  TemporaryFoldersIn& operator=(const TemporaryFoldersIn&) = delete;
  ~TemporaryFoldersIn() { before_ ? ::setenv("TMPDIR", before_->c_str(), 1) : ::unsetenv("TMPDIR"); }

 private:
  std::optional<std::string> before_;
};

TracedResult traced_sync(const Setting& setting) {
  KilledSync world(setting);
  TracedResult run = run_and_strike({.nth = kNever}, world.sync(), world.folders());
  EXPECT_FALSE(run.struck);
  EXPECT_EQ(run.result.status, 0) << run.result.err;
  world.expect_recovery();
  return run;
}

struct WholeSync : testing::TestWithParam<Setting> {
  void SetUp() override { POPSYNC_REQUIRE(tracing_is_allowed(), "ptrace(2) is forbidden here"); }
  static TracedResult sync_on(const LoopDisk& disk) {
    const TemporaryFoldersIn place(disk.place());
    return traced_sync(GetParam());
  }
};

TEST_P(WholeSync, IsMadeHereOnlyIfThereIsNoJournal) {
  const bool needed = lacks_journal(TempFolder().path());
  const TracedResult run = traced_sync(GetParam());
  EXPECT_GT(count_of(run, "fsync"), 0U);
  if (needed) {
    expect_each_group_completed(run);
  } else {
    EXPECT_EQ(count_of(run, "syncfs"), 0U);
  }
}

TEST_P(WholeSync, IsNotMadeOnExt4WithAJournal) {
  const auto disk = LoopDisk::make("has_journal");
  if (!disk) {
    std::cout << "not tried: no disk can be mounted here\n";
    return;  // only root can, and hardly ever in a container
  }
  const TracedResult run = sync_on(*disk);
  EXPECT_GT(count_of(run, "fsync"), 0U);
  EXPECT_EQ(count_of(run, "syncfs"), 0U);
}

TEST_P(WholeSync, FollowsEachGroupOnExt4WithoutAJournal) {
  const auto disk = LoopDisk::make("^has_journal");
  if (!disk) {
    std::cout << "not tried: no disk can be mounted here\n";
    return;
  }
  ASSERT_TRUE(lacks_journal(disk->place()));
  const TracedResult run = sync_on(*disk);
  EXPECT_GE(count_of(run, "syncfs"), 4U) << "the intent, the files, their names, the publication";
  expect_each_group_completed(run);
}

INSTANTIATE_TEST_SUITE_P(Settings, WholeSync, testing::ValuesIn(removing()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace popsync::test
