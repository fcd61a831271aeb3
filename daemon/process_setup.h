// SPDX-License-Identifier: MIT
// What the process is before it reads anything: its standard streams open, no end by SIGPIPE or SIGXFSZ, umask 077, no core dumps, not traceable by
// others, enough descriptors, the right user.
#pragma once

#include <string>

namespace popsync {

void harden_process();

// Where a system installation keeps its files; the default for root and for the user popsync.
struct Paths {
  std::string config_file;
  bool config_must_exist = false;  // given with -c
  std::string state_dir;
  std::string home;
  bool system = false;
  bool stays_root = false;  // root with a state directory of its own: works, and is warned
};

// From options and environment. Root with the system's state directory becomes the owner of that directory; root that would stay root there is
// refused, root with its own --state-dir stays root. Throws Error configuration or state_unavailable.
Paths choose_paths(const std::string& config_option, const std::string& state_option, bool system_option);

}  // namespace popsync
