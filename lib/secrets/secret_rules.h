// SPDX-License-Identifier: MIT
// What every secret and every file that holds one must fulfil, wherever it comes from. Pure.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::secrets {

// What keeps `octets` from being sent as a user name or a password ("is empty", "contains a line end"), or nothing. CR, LF and NUL would end the
// command line and start another; a leading space would be lost between "PASS" and the password.
std::optional<std::string> fault_of_login_word(std::string_view octets);

// Of an open file, what decides who can read it.
struct FileAccess {
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0;
  bool in_memory = false;  // it lies on a tmpfs or ramfs
  bool read_only = false;  // nothing can be changed where it is mounted
};

// A unit is one of systemd, on a host or in a container.
enum class Surroundings { host, container, unit };

// Who is to read it.
struct Reader {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> more_groups = {};  // the supplementary ones
  Surroundings surroundings = Surroundings::host;
};

struct Exposure {
  std::string what;            // "others have access to it (mode 0644)"
  bool set_elsewhere = false;  // chmod would fail here: kSetElsewhere is the next step
};

constexpr std::string_view kSetElsewhere =
    "set its mode where it comes from: on the host's file of a bind mount, with defaultMode (0440) and fsGroup in Kubernetes, "
    "with mode (0400) and uid of a Docker or Podman secret";

// Who else could read a file that holds a secret, or nothing. It must be owned by us or by root and have nothing for others. Its group may have
// access if it is our own or, where the file is root's, any of ours. In a container root's file on a read-only tmpfs or ramfs is accepted whatever
// its mode; docs/security.md says why, and why never in a unit.
std::optional<Exposure> exposure_of(const FileAccess& file, const Reader& reader);

}  // namespace popsync::secrets
