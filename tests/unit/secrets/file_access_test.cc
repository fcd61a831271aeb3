// SPDX-License-Identifier: MIT
#include "secrets/file_access.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/unique_fd.h"

namespace popsync::secrets {
namespace {

// The variables that tell where we run, as a test wants them; the test's own again at its end.
class FileAccessTest : public testing::Test {
 protected:
  FileAccessTest() { ::unsetenv("INVOCATION_ID"); }
  ~FileAccessTest() override {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("INVOCATION_ID");
  }
};

TEST_F(FileAccessTest, ReadsOwnerModeAndFileSystemOfTheOpenFile) {
  const UniqueFd file(::memfd_create("secret", MFD_CLOEXEC));  // on a tmpfs of the kernel's own
  ASSERT_TRUE(file.valid());
  ASSERT_EQ(::fchmod(file.get(), 0640), 0);
  struct stat status {};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  const FileAccess access = access_of(file.get(), status);
  EXPECT_EQ(access.owner, ::geteuid());
  EXPECT_EQ(access.group, ::getegid());
  EXPECT_EQ(access.mode & 07777U, 0640U);
  EXPECT_TRUE(access.in_memory);
  EXPECT_FALSE(access.read_only);
}

TEST_F(FileAccessTest, AFileSystemThatDoesNotTellCountsAsADisk) {
  struct stat status {};
  ASSERT_EQ(::stat("/proc/self/status", &status), 0);
  EXPECT_FALSE(access_of(-1, status).in_memory);
  const UniqueFd proc(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(access_of(proc.get(), status).in_memory);
}

TEST_F(FileAccessTest, KubernetesSetsItsVariableInEachContainer) {
  ::setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
  EXPECT_EQ(this_reader().surroundings, Surroundings::container);
}

TEST_F(FileAccessTest, AUnitIsAUnitAlsoInAContainer) {
  ::setenv("INVOCATION_ID", "00112233445566778899aabbccddeeff", 1);
  EXPECT_EQ(this_reader().surroundings, Surroundings::unit);
  ::setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
  EXPECT_EQ(this_reader().surroundings, Surroundings::unit);
}

}  // namespace
}  // namespace popsync::secrets
