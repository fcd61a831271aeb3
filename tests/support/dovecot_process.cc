// SPDX-License-Identifier: MIT
#include "support/dovecot_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace popsync::test {

namespace {

// Best effort: where the capability cannot be had, the folder has to be open to the user.
void keep_folder_access() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[2] = {};
  const __u32 wanted = 1U << CAP_DAC_OVERRIDE;
  sets[0] = {.effective = wanted, .permitted = wanted, .inheritable = wanted};
  if (::syscall(SYS_capset, &header, sets) == 0) ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0);
}

// Between fork and exec: other threads of the test may have held any lock, so nothing here allocates.
[[noreturn]] void become_dovecot(const DovecotIdentity& identity, int output, char* const* arguments, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::geteuid() == 0) {
    ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (::setgroups(0, nullptr) != 0 || ::setgid(identity.gid) != 0 || ::setuid(identity.uid) != 0) ::_exit(126);
    keep_folder_access();
  }
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // after setuid, which clears it
  if (::getppid() != parent) ::_exit(126);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::close_range(3, ~0U, 0);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

DovecotIdentity dovecot_identity() {
  const passwd* user = ::geteuid() == 0 ? ::getpwnam("nobody") : ::getpwuid(::geteuid());
  if (user == nullptr) throw std::runtime_error("dovecot needs a user with a name: uid " + std::to_string(::geteuid()) + " has none");
  DovecotIdentity identity{.uid = user->pw_uid, .gid = ::geteuid() == 0 ? user->pw_gid : ::getegid(), .user = user->pw_name};
  const group* its_group = ::getgrgid(identity.gid);
  if (its_group == nullptr) throw std::runtime_error("dovecot needs a group with a name: gid " + std::to_string(identity.gid) + " has none");
  identity.group = its_group->gr_name;
  return identity;
}

void DovecotProcess::start(const std::string& program, const std::string& configuration, const std::string& output) {
  const DovecotIdentity identity = dovecot_identity();
  const UniqueFd log(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!log.valid()) throw std::runtime_error("cannot write " + output);
  std::string words[] = {program, "-F", "-c", configuration};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) become_dovecot(identity, log.get(), arguments, parent);
  pid_ = pid;
  handle_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // glibc 2.36 declares pidfd_open() for C only
}

bool DovecotProcess::wait_for_end(std::chrono::milliseconds patience) const {
  pollfd ended{.fd = handle_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, static_cast<int>(patience.count())) > 0;
}

void DovecotProcess::stop() {
  if (!running()) return;
  ::kill(pid_, SIGTERM);
  if (!wait_for_end(std::chrono::seconds(10))) ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  handle_.reset();
}

}  // namespace popsync::test
