// SPDX-License-Identifier: MIT
#include "secrets/secret_rules.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace popsync::secrets {
namespace {

constexpr uid_t kUs = 1000;
constexpr uid_t kRoot = 0;
constexpr gid_t kOurGroup = 1000;
constexpr gid_t kMoreGroup = 2000;
constexpr gid_t kForeignGroup = 77;

Reader us_in(Surroundings surroundings) { return {.user = kUs, .group = kOurGroup, .more_groups = {3000, kMoreGroup}, .surroundings = surroundings}; }

std::optional<std::string> what_of(const FileAccess& file, const Reader& reader = us_in(Surroundings::host)) {
  const auto exposure = exposure_of(file, reader);
  return exposure ? std::optional(exposure->what) : std::nullopt;
}

// On a disk that can be written.
FileAccess on_disk(mode_t mode, uid_t owner, gid_t group) { return {.owner = owner, .group = group, .mode = S_IFREG | mode}; }

// As a container's runtime mounts a secret.
FileAccess mounted(mode_t mode, uid_t owner, gid_t group) {
  return {.owner = owner, .group = group, .mode = S_IFREG | mode, .in_memory = true, .read_only = true};
}

TEST(ExposureOf, AcceptsOursAndRootsWithNothingForOthers) {
  EXPECT_EQ(what_of(on_disk(0600, kUs, kOurGroup)), std::nullopt);
  EXPECT_EQ(what_of(on_disk(0400, kRoot, 0)), std::nullopt);
  EXPECT_EQ(what_of(on_disk(0640, kUs, kOurGroup)), std::nullopt);
  EXPECT_EQ(what_of(on_disk(0640, kRoot, kOurGroup)), std::nullopt);
  EXPECT_EQ(what_of(on_disk(0600, kUs, kForeignGroup)), std::nullopt);
}

TEST(ExposureOf, RefusesOthersForeignGroupsAndForeignOwners) {
  for (const mode_t mode : {0604U, 0602U, 0601U, 0644U, 0606U}) {
    EXPECT_NE(what_of(on_disk(mode, kUs, kOurGroup)), std::nullopt) << mode;
    EXPECT_NE(what_of(on_disk(mode, kRoot, 0)), std::nullopt) << mode;
  }
  EXPECT_EQ(what_of(on_disk(0644, kUs, kOurGroup)), "others have access to it (mode 0644)");
  EXPECT_EQ(what_of(on_disk(0640, kUs, kForeignGroup)), "group 77 has access to it (mode 0640), which is not our own");
  EXPECT_EQ(what_of(on_disk(0600, 1001, kOurGroup)), "it belongs to user 1001, neither to us (1000) nor to root");
}

TEST(ExposureOf, AnyGroupOfOursMayReadWhatIsRootsAndOnlyOurOwnWhatIsOurs) {
  EXPECT_EQ(what_of(on_disk(0440, kRoot, kMoreGroup)), std::nullopt);
  EXPECT_EQ(what_of(on_disk(0460, kRoot, kMoreGroup)), std::nullopt);
  EXPECT_NE(what_of(on_disk(0440, kRoot, kForeignGroup)), std::nullopt);
  EXPECT_NE(what_of(on_disk(0444, kRoot, kMoreGroup)), std::nullopt);
  EXPECT_NE(what_of(on_disk(0440, kUs, kMoreGroup)), std::nullopt);
  EXPECT_NE(what_of(on_disk(0440, 1001, kMoreGroup)), std::nullopt);
  const Reader root{.user = kRoot, .group = 0, .more_groups = {kMoreGroup}};
  EXPECT_NE(what_of(on_disk(0440, kRoot, kMoreGroup), root), std::nullopt) << "root's file is root's own";
  EXPECT_EQ(what_of(on_disk(0440, kRoot, 0), root), std::nullopt);
  const Reader alone{.user = kUs, .group = kOurGroup};
  EXPECT_NE(what_of(on_disk(0440, kRoot, kMoreGroup), alone), std::nullopt);
}

TEST(ExposureOf, AContainerTakesWhatItsRuntimeMountedWhateverTheMode) {
  const Reader inside = us_in(Surroundings::container);
  for (const mode_t mode : {0400U, 0440U, 0444U, 0644U, 0777U}) {
    EXPECT_EQ(what_of(mounted(mode, kRoot, kForeignGroup), inside), std::nullopt) << mode;
  }
  const Reader root_inside{.user = kRoot, .group = 0, .surroundings = Surroundings::container};
  EXPECT_EQ(what_of(mounted(0444, kRoot, 0), root_inside), std::nullopt);
}

TEST(ExposureOf, AContainerTakesNothingElseThatOthersMayRead) {
  const Reader inside = us_in(Surroundings::container);
  FileAccess writable = mounted(0444, kRoot, 0);
  writable.read_only = false;
  EXPECT_NE(what_of(writable, inside), std::nullopt);
  FileAccess bind_mount = mounted(0444, kRoot, 0);
  bind_mount.in_memory = false;
  EXPECT_NE(what_of(bind_mount, inside), std::nullopt);
  EXPECT_NE(what_of(mounted(0444, kUs, kOurGroup), inside), std::nullopt) << "a file of our own";
  EXPECT_NE(what_of(mounted(0440, kUs, kMoreGroup), inside), std::nullopt);
  EXPECT_NE(what_of(mounted(0400, 1001, kOurGroup), inside), std::nullopt) << "a file of somebody else's";
  EXPECT_EQ(what_of(mounted(0400, kUs, kOurGroup), inside), std::nullopt);
}

TEST(ExposureOf, AHostAndAUnitTakeNoSuchFile) {
  for (const Surroundings surroundings : {Surroundings::host, Surroundings::unit}) {
    EXPECT_EQ(what_of(mounted(0444, kRoot, 0), us_in(surroundings)), "others have access to it (mode 0444)");
    EXPECT_EQ(what_of(mounted(0440, kRoot, kForeignGroup), us_in(surroundings)), "group 77 has access to it (mode 0440), which is not our own");
    EXPECT_EQ(what_of(mounted(0440, kRoot, kMoreGroup), us_in(surroundings)), std::nullopt);
  }
}

TEST(ExposureOf, TellsWhereTheModeCanBeChanged) {
  const auto set_elsewhere = [](const FileAccess& file, Surroundings surroundings) { return exposure_of(file, us_in(surroundings))->set_elsewhere; };
  EXPECT_FALSE(set_elsewhere(on_disk(0644, kUs, kOurGroup), Surroundings::host));
  EXPECT_FALSE(set_elsewhere(on_disk(0644, kRoot, 0), Surroundings::host));
  EXPECT_FALSE(set_elsewhere(on_disk(0644, kUs, kOurGroup), Surroundings::container)) << "ours, so chmod does it";
  EXPECT_TRUE(set_elsewhere(on_disk(0644, kRoot, 0), Surroundings::container));
  EXPECT_TRUE(set_elsewhere(on_disk(0600, 1001, 1001), Surroundings::container));
  EXPECT_TRUE(set_elsewhere(mounted(0444, kUs, kOurGroup), Surroundings::container));
  EXPECT_TRUE(set_elsewhere(mounted(0444, kRoot, 0), Surroundings::host)) << "a container that is not recognised";
  EXPECT_FALSE(set_elsewhere(mounted(0444, kRoot, 0), Surroundings::unit)) << "read-only for the unit alone";
}

TEST(FaultOfLoginWord, NamesWhatWouldEndTheCommandLine) {
  EXPECT_EQ(fault_of_login_word("plain"), std::nullopt);
  EXPECT_EQ(fault_of_login_word("with a space "), std::nullopt);
  EXPECT_EQ(fault_of_login_word("p\xC3\xA4ss"), std::nullopt);
  EXPECT_EQ(fault_of_login_word(""), "is empty");
  EXPECT_EQ(fault_of_login_word("a\rb"), "contains a line end");
  EXPECT_EQ(fault_of_login_word("a\nDELE 1"), "contains a line end");
  EXPECT_EQ(fault_of_login_word(std::string_view("a\0b", 3)), "contains a NUL octet");
  EXPECT_EQ(fault_of_login_word(" a"), "begins with a space");
}

}  // namespace
}  // namespace popsync::secrets
