// SPDX-License-Identifier: MIT
#include "base/fs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "base/error.h"
#include "unit/config/temp_folder.h"

namespace popsync {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

template <typename Work>
Error error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorCode::bug, "");
}

class FsTest : public testing::Test {
 protected:
  FsTest() : root_(std::move(*fs_.open_root(folder_.path()))) {}

  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  [[nodiscard]] std::string content(const std::string& name) const { return config::content_of(path(name)); }
  void link(const std::string& target, const std::string& name) const { std::filesystem::create_symlink(target, path(name)); }

  config::TempFolder folder_;
  Fs& fs_ = real_fs();
  UniqueFd root_;
};

TEST_F(FsTest, ARootFollowsLinksAndIsEmptyWhenAbsent) {
  std::filesystem::create_directory(path("real"));
  link("real", "link");
  EXPECT_TRUE(fs_.open_root(path("link")).has_value());
  EXPECT_FALSE(fs_.open_root(path("none")).has_value());
}

TEST_F(FsTest, ARootThatIsAFileIsUnavailable) {
  folder_.write("file", "");
  const Error error = error_of([&] { (void)fs_.open_root(path("file")); });
  EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(error.message(), HasSubstr(path("file")));
}

TEST_F(FsTest, ADirectoryIsNeverReachedThroughALink) {
  std::filesystem::create_directory(path("real"));
  link("real", "link");
  EXPECT_TRUE(fs_.open_directory(root_.get(), "real").has_value());
  EXPECT_FALSE(fs_.open_directory(root_.get(), "none").has_value());
  EXPECT_EQ(error_of([&] { (void)fs_.open_directory(root_.get(), "link"); }).code(), ErrorCode::mailstore_unavailable);
}

TEST_F(FsTest, WhatWeMakeIsOursAloneWhateverTheUmask) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(fs_.make_directory(root_.get(), "new"));
  fs_.close(fs_.create(root_.get(), "file"));
  ::umask(before);
  EXPECT_EQ(fs_.stat(root_.get(), "new")->mode, 0700U);
  EXPECT_EQ(fs_.stat(root_.get(), "file")->mode, 0600U);
}

TEST_F(FsTest, MakingADirectoryThatExistsSaysSo) {
  EXPECT_TRUE(fs_.make_directory(root_.get(), "new"));
  EXPECT_FALSE(fs_.make_directory(root_.get(), "new"));
}

TEST_F(FsTest, CreateRefusesAnExistingName) {
  folder_.write("mail", "precious");
  EXPECT_EQ(error_of([&] { (void)fs_.create(root_.get(), "mail"); }).code(), ErrorCode::io_error);
  EXPECT_EQ(content("mail"), "precious");
}

TEST_F(FsTest, CreateWritesThroughNoLinkNotEvenADanglingOne) {
  link("elsewhere", "mail");
  EXPECT_EQ(error_of([&] { (void)fs_.create(root_.get(), "mail"); }).code(), ErrorCode::io_error);
  EXPECT_FALSE(std::filesystem::exists(path("elsewhere")));
}

TEST_F(FsTest, OpenRefusesALinkAndIsEmptyWhenAbsent) {
  folder_.write("mail", "octets");
  link("mail", "link");
  EXPECT_EQ(fs_.read(fs_.open(root_.get(), "mail")->get(), 100), "octets");
  EXPECT_FALSE(fs_.open(root_.get(), "none").has_value());
  EXPECT_EQ(error_of([&] { (void)fs_.open(root_.get(), "link"); }).code(), ErrorCode::mailstore_unavailable);
}

TEST_F(FsTest, OpeningAPipeWithoutAWriterDoesNotHang) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(fs_.open(root_.get(), "pipe").has_value());
}

TEST_F(FsTest, WhatIsWrittenSyncedAndClosedIsThere) {
  const std::string octets("a\0b\r\n\xff", 6);
  UniqueFd fd = fs_.create(root_.get(), "mail");
  fs_.write(fd.get(), octets);
  fs_.write(fd.get(), "");
  fs_.sync_file(fd.get());
  fs_.close(std::move(fd));
  fs_.sync_directory(root_.get());
  EXPECT_EQ(content("mail"), octets);
}

TEST_F(FsTest, ReadGoesOnWhereItStoppedAndIsEmptyAtTheEnd) {
  folder_.write("mail", "abcde");
  const auto fd = fs_.open(root_.get(), "mail");
  EXPECT_EQ(fs_.read(fd->get(), 3), "abc");
  EXPECT_EQ(fs_.read(fd->get(), 3), "de");
  EXPECT_EQ(fs_.read(fd->get(), 3), "");
}

TEST_F(FsTest, AFullDiskIsToldApartFromABrokenOne) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  EXPECT_EQ(error_of([&] { fs_.write(full.get(), "x"); }).code(), ErrorCode::disk_full);
  folder_.write("mail", "");
  const auto read_only = fs_.open(root_.get(), "mail");
  const Error error = error_of([&] { fs_.write(read_only->get(), "x"); });
  EXPECT_EQ(error.code(), ErrorCode::io_error);
  EXPECT_THAT(error.message(), HasSubstr("write"));
  EXPECT_THAT(error.message(), HasSubstr(path("mail")));
}

TEST_F(FsTest, WhatIsForbiddenIsToldWithTheUserWhoTried) {
  const auto proc = fs_.open_root("/proc");  // not even root may remove anything there
  const Error error = error_of([&] { (void)fs_.unlink(proc->get(), "version"); });
  EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(error.hint(), HasSubstr("user " + std::to_string(::geteuid())));
}

TEST_F(FsTest, TheResultOfASyncIsLookedAt) {
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));  // EINVAL
  EXPECT_EQ(error_of([&] { fs_.sync_file(null.get()); }).code(), ErrorCode::io_error);
  EXPECT_EQ(error_of([&] { fs_.sync_directory(-1); }).code(), ErrorCode::io_error);
  // EINVAL, as of a file system that cannot sync folders
  EXPECT_NO_THROW(fs_.sync_directory(null.get()));
  EXPECT_FALSE(fs_.can_sync_directory(null.get()));
  EXPECT_TRUE(fs_.can_sync_directory(root_.get()));
}

TEST_F(FsTest, TheResultOfCloseIsLookedAt) {
  constexpr int kNoDescriptor = 1'000'000;
  EXPECT_EQ(error_of([&] { fs_.close(UniqueFd(kNoDescriptor)); }).code(), ErrorCode::io_error);
}

TEST_F(FsTest, RenameMovesReplacesAndIsFalseWhenTheSourceIsAbsent) {
  fs_.make_directory(root_.get(), "new");
  const auto target = fs_.open_directory(root_.get(), "new");
  folder_.write("mail", "ours");
  folder_.write("new/mail", "theirs");
  EXPECT_TRUE(fs_.rename(root_.get(), "mail", target->get(), "mail"));
  EXPECT_EQ(content("new/mail"), "ours");
  EXPECT_FALSE(std::filesystem::exists(path("mail")));
  EXPECT_FALSE(fs_.rename(root_.get(), "mail", target->get(), "mail"));
  EXPECT_EQ(content("new/mail"), "ours");
}

TEST_F(FsTest, RenameOverAFolderIsAnError) {
  folder_.write("mail", "ours");
  fs_.make_directory(root_.get(), "new");
  EXPECT_EQ(error_of([&] { (void)fs_.rename(root_.get(), "mail", root_.get(), "new"); }).code(), ErrorCode::io_error);
}

TEST_F(FsTest, RenameBetweenFileSystemsSaysWhatToDo) {
  // The test's folder may be on the one or on the other.
  std::optional<UniqueFd> elsewhere;
  for (const char* place : {"/dev/shm", "/tmp"}) {
    auto root = fs_.open_root(place);
    if (root && fs_.stat(root->get(), ".")->device != fs_.stat(root_.get(), ".")->device) elsewhere = std::move(root);
  }
  if (!elsewhere) {
    ASSERT_STRNE(std::getenv("POPSYNC_REQUIRE_ALL"), "1") << "needs /dev/shm on a file system of its own";
    GTEST_SKIP() << "needs /dev/shm on a file system of its own";
  }
  folder_.write("mail", "ours");
  const Error error = error_of([&] { (void)fs_.rename(root_.get(), "mail", elsewhere->get(), "popsync-fs-test"); });
  EXPECT_EQ(error.code(), ErrorCode::mailstore_foreign);
  EXPECT_THAT(error.hint(), HasSubstr("one file system"));
  EXPECT_EQ(content("mail"), "ours");
}

TEST_F(FsTest, UnlinkRemovesTheLinkAndNotItsTarget) {
  folder_.write("mail", "precious");
  link("mail", "link");
  EXPECT_TRUE(fs_.unlink(root_.get(), "link"));
  EXPECT_FALSE(fs_.unlink(root_.get(), "link"));
  EXPECT_EQ(content("mail"), "precious");
}

TEST_F(FsTest, ListNamesEverythingAndStartsAnewEachTime) {
  EXPECT_THAT(fs_.list(root_.get()), IsEmpty());
  folder_.write("a", "");
  folder_.write(".b", "");
  fs_.make_directory(root_.get(), "c");
  link("nowhere", "d");
  EXPECT_THAT(fs_.list(root_.get()), UnorderedElementsAre("a", ".b", "c", "d"));
  EXPECT_THAT(fs_.list(root_.get()), UnorderedElementsAre("a", ".b", "c", "d"));
}

TEST_F(FsTest, StatTellsWhatANameIsWithoutFollowingIt) {
  folder_.write("mail", "12345");
  fs_.make_directory(root_.get(), "new");
  link("mail", "link");
  const auto file = fs_.stat(root_.get(), "mail");
  EXPECT_TRUE(file->is_regular && !file->is_directory);
  EXPECT_EQ(file->size, 5U);
  EXPECT_EQ(file->owner, ::geteuid());
  EXPECT_TRUE(fs_.stat(root_.get(), "new")->is_directory);
  const auto found = fs_.stat(root_.get(), "link");
  EXPECT_FALSE(found->is_regular || found->is_directory);
  EXPECT_NE(found->inode, file->inode);
  EXPECT_FALSE(fs_.stat(root_.get(), "none").has_value());
}

TEST_F(FsTest, FreeOctetsAreThoseOfTheFileSystem) { EXPECT_GT(fs_.free_octets(root_.get()), 0U); }

TEST_F(FsTest, ASmallFileIsReadUpToItsLimitAndNotOver) {
  folder_.write("empty", "");
  folder_.write("full", std::string(100, 'x'));
  folder_.write("over", std::string(101, 'x'));
  EXPECT_EQ(read_small_file(fs_, root_.get(), "none", 100), std::nullopt);
  EXPECT_EQ(read_small_file(fs_, root_.get(), "empty", 100), "");
  EXPECT_EQ(read_small_file(fs_, root_.get(), "full", 100), std::string(100, 'x'));
  EXPECT_EQ(error_of([&] { (void)read_small_file(fs_, root_.get(), "over", 100); }).code(), ErrorCode::io_error);
}

TEST_F(FsTest, ReplaceFileLeavesTheNewContentAndNothingBeside) {
  replace_file(fs_, root_.get(), "id", "first");
  EXPECT_EQ(content("id"), "first");
  replace_file(fs_, root_.get(), "id", "second");
  EXPECT_EQ(content("id"), "second");
  EXPECT_THAT(fs_.list(root_.get()), UnorderedElementsAre("id"));
}

TEST_F(FsTest, ReplaceFileReplacesALinkAndSparesItsTarget) {
  folder_.write("precious", "precious");
  link("precious", "id");
  replace_file(fs_, root_.get(), "id", "ours");
  EXPECT_EQ(content("precious"), "precious");
  EXPECT_TRUE(fs_.stat(root_.get(), "id")->is_regular);
}

TEST_F(FsTest, ReplaceFileThatFailsLeavesTheOldContentAndNothingBeside) {
  std::filesystem::create_directories(path("id/full"));  // a folder that is not empty cannot be replaced
  EXPECT_THROW(replace_file(fs_, root_.get(), "id", "ours"), Error);
  EXPECT_THAT(fs_.list(root_.get()), UnorderedElementsAre("id"));
}

TEST(UniqueFd, ClosesWhatItOwnsAndNothingElse) {
  UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = fd.get();
  UniqueFd moved(std::move(fd));
  EXPECT_GE(::fcntl(number, F_GETFD), 0);
  EXPECT_EQ(moved.get(), number);
  moved.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  EXPECT_FALSE(moved.valid());
}

}  // namespace
}  // namespace popsync
