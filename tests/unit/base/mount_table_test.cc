// SPDX-License-Identifier: MIT
#include "base/mount_table.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/folders.h"
#include "base/unique_fd.h"
#include "support/forwarding_fs.h"

namespace popsync {
namespace {

using testing::ElementsAre;

constexpr const char* kTable =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "23 22 0:21 / /proc rw - proc proc rw\n"
    "30 22 0:50 / /srv/mail rw - nfs4 box:/mail rw\n"
    "31 30 8:17 / /srv/mail/fast rw - xfs /dev/sdb1 rw\n"
    "32 22 0:51 / /with\\040blank rw - nfs4 box:/b rw\n"
    "33 22 8:1 /var/real /bound rw - ext4 /dev/sda1 rw\n"
    "34 22 0:60 / /over rw - tmpfs tmpfs rw\n"
    "35 34 0:61 / /over/hidden rw - tmpfs tmpfs rw\n"
    "36 34 0:62 / /over rw - tmpfs tmpfs rw\n"
    "no mount at all\n";

TEST(MountTable, PathLiesOnTheLastMountOnItsWay) {
  const MountTable table(kTable);
  struct Case {
    const char* path;
    const char* disk;
  };
  for (const Case& each : {Case{"/", "8:1"}, Case{"/home/u/Mail", "8:1"}, Case{"/srv/mail", "0:50"}, Case{"/srv/mail/u", "0:50"},
                           Case{"/srv/mailbox", "8:1"}, Case{"/srv/mail/fast/u", "8:17"}, Case{"/with blank/u", "0:51"}, Case{"/bound/u", "8:1"},
                           Case{"/over/u", "0:62"}, Case{"/over/hidden", "0:62"}, Case{"/proc/self", "0:21"}}) {
    EXPECT_EQ(table.disk_at(each.path), each.disk) << each.path;
  }
}

TEST(MountTable, RootThatIsNoMountIsNotTold) {
  const MountTable table("40 7 0:50 / /srv/mail rw - nfs4 box:/mail rw\n");  // as seen in a chroot
  EXPECT_EQ(table.disk_at("/home"), "");
  EXPECT_EQ(table.disk_at("/srv/mail/u"), "0:50");
  EXPECT_EQ(MountTable("").disk_at("/"), "");
}

TEST(MountTable, OpenFileTellsItsMount) {
  const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const MountTable now = MountTable::now();
  EXPECT_EQ(now.disk_of(proc.get()), now.disk_at("/proc"));
  EXPECT_FALSE(now.disk_of(proc.get()).empty());
  EXPECT_EQ(now.disk_of(-1), "");
}

struct Links : testing::Test {
  Links() { folder = ::mkdtemp(folder.data()); }
  ~Links() override { std::filesystem::remove_all(folder); }
  void link(const std::string& target, const std::string& name) const { ASSERT_EQ(::symlink(target.c_str(), (folder + "/" + name).c_str()), 0); }
  [[nodiscard]] static std::string resolved(const std::string& path) {
    return without_links(path, [](const std::string&, const std::string&) { return true; });
  }
  std::string folder = testing::TempDir() + "linksXXXXXX";
};

TEST_F(Links, AreFollowedAsTheKernelDoes) {
  folder = std::filesystem::canonical(folder);
  std::filesystem::create_directories(folder + "/real/box");
  link("real", "relative");
  link(folder + "/real", "absolute");
  link("relative/../absolute", "both");
  link("loop", "loop");
  EXPECT_EQ(resolved(folder + "/relative/box"), folder + "/real/box");
  EXPECT_EQ(resolved(folder + "/absolute/box/"), folder + "/real/box");
  EXPECT_EQ(resolved(folder + "/both/box/../new"), folder + "/real/new") << "what does not exist stays";
  EXPECT_EQ(resolved("/"), "/");
  EXPECT_THAT(resolved(folder + "/loop/box"), testing::EndsWith("/loop/box"));
}

TEST_F(Links, AreLeftAloneWhereNobodyMayLook) {
  folder = std::filesystem::canonical(folder);
  link("elsewhere", "forbidden");
  std::vector<std::string> asked;
  const std::string path = folder + "/forbidden/box";
  EXPECT_EQ(without_links(path,
                          [&](const std::string& part, const std::string& whole) {
                            EXPECT_EQ(whole, path);
                            asked.push_back(part);
                            return part != folder + "/forbidden";
                          }),
            path);
  EXPECT_EQ(asked.back(), folder + "/forbidden") << "nothing behind it was asked for";
}

// Notes which roots are opened.
class AskedFs : public test::ForwardingFs {
 public:
  std::optional<UniqueFd> open_root(const std::string& path) override {
    opened.push_back(path);
    return ForwardingFs::open_root(path);
  }
  std::vector<std::string> opened;
};

TEST_F(Links, FolderOnAnotherDiskIsNotTouchedToTellSo) {
  const UniqueFd here(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  AskedFs fs;
  EXPECT_FALSE(same_device(fs, here.get(), "/proc/self"));
  EXPECT_TRUE(fs.opened.empty());
  EXPECT_TRUE(same_device(fs, here.get(), folder));
}

}  // namespace
}  // namespace popsync
