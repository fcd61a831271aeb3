// SPDX-License-Identifier: MIT
#include "secrets/file_access.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace popsync::secrets {
namespace {

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// INVOCATION_ID comes first: a unit may run in a container, and a host may keep the file that an image of a container left. NOTIFY_SOCKET would not
// do, Podman sets it in containers.
Surroundings surroundings() {
  if (std::getenv("INVOCATION_ID") != nullptr) return Surroundings::unit;
  const bool marked = ::access("/.dockerenv", F_OK) == 0 || ::access("/run/.containerenv", F_OK) == 0 || is_set("KUBERNETES_SERVICE_HOST");
  return marked ? Surroundings::container : Surroundings::host;
}

std::vector<gid_t> supplementary_groups() {
  const int count = ::getgroups(0, nullptr);
  if (count <= 0) return {};
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  const int got = ::getgroups(count, groups.data());
  groups.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return groups;
}

}  // namespace

FileAccess access_of(int fd, const struct stat& status) {
  FileAccess access{.owner = status.st_uid, .group = status.st_gid, .mode = status.st_mode};
  struct statfs place {};
  if (::fstatfs(fd, &place) != 0) return access;
  const auto type = static_cast<std::uint32_t>(place.f_type);  // the type of the field differs between machines
  access.in_memory = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
  access.read_only = (static_cast<std::uint64_t>(place.f_flags) & ST_RDONLY) != 0;
  return access;
}

Reader this_reader() { return {.user = ::geteuid(), .group = ::getegid(), .more_groups = supplementary_groups(), .surroundings = surroundings()}; }

}  // namespace popsync::secrets
