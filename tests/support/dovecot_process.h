// SPDX-License-Identifier: MIT
// The dovecot master process of a PrivateDovecot. Dovecot refuses to serve mail as root, so root's runs as "nobody"; the capability to pass folders
// that are closed to others goes with it, because the folder is often a test's own, 0700.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "base/unique_fd.h"

namespace popsync::test {

struct DovecotIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user = {};
  std::string group = {};
};
// Who dovecot runs as: whoever we are, nobody if we are root. Throws std::runtime_error if that user has no name.
DovecotIdentity dovecot_identity();

class DovecotProcess {
 public:
  DovecotProcess() = default;
  DovecotProcess(const DovecotProcess&) = delete;
  DovecotProcess& operator=(const DovecotProcess&) = delete;
  ~DovecotProcess() { stop(); }

  // Runs `dovecot -F -c configuration`; what it says before it has a log goes to `output`. It gets SIGTERM when the calling thread ends, too.
  void start(const std::string& program, const std::string& configuration, const std::string& output);
  [[nodiscard]] bool running() const { return pid_ > 0; }
  // True once it has ended, false after `patience`.
  [[nodiscard]] bool wait_for_end(std::chrono::milliseconds patience) const;
  // SIGTERM, after 10 s SIGKILL; reaps it.
  void stop();

 private:
  pid_t pid_ = -1;
  UniqueFd handle_;  // pidfd: readable once it has ended
};

}  // namespace popsync::test
