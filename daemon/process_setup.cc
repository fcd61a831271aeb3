// SPDX-License-Identifier: MIT
#include "process_setup.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"

namespace popsync {
namespace {

// All in this file runs before the first thread is made.
// NOLINTBEGIN(concurrency-mt-unsafe)

constexpr const char* kSystemUser = "popsync";
constexpr const char* kSystemConfig = "/etc/popsync/popsync.toml";
constexpr const char* kSystemState = "/var/lib/popsync";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string home_directory() {
  if (std::string home = environment("HOME"); !home.empty()) return home;
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "" : entry->pw_dir;
}

// XDG says that a relative value is to be ignored.
std::string xdg_directory(const char* variable, const std::string& home, const char* below_home) {
  std::string value = environment(variable);
  if (value.starts_with('/')) return value;
  if (home.empty()) throw Error(ErrorCode::configuration, "HOME is not set", "set HOME, or name files with -c and --state-dir");
  return home + below_home;
}

bool is_system_user() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr && std::strcmp(entry->pw_name, kSystemUser) == 0;
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path found = std::filesystem::absolute(path, error);
  if (error) throw Error(ErrorCode::configuration, "cannot tell where " + escaped(path) + " is: " + error.message(), "give an absolute path");
  return found;
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

[[noreturn]] void refuse_root(const std::string& why) {
  throw Error(ErrorCode::state_unavailable, why,
              "popsync does not work as root: make the user popsync and give it the directory (systemd-sysusers and systemd-tmpfiles --create do), "
              "or name your own "
              "directory with --state-dir");
}

void become_owner(const std::string& state_dir) {
  struct stat found {};
  if (::stat(state_dir.c_str(), &found) != 0) refuse_root(state_dir + " does not exist");
  if (found.st_uid == 0) refuse_root(state_dir + " belongs to root");
  const passwd* entry = ::getpwuid(found.st_uid);
  if (entry == nullptr) refuse_root(state_dir + " belongs to user " + std::to_string(found.st_uid) + ", who has no name");
  const std::string home = entry->pw_dir;
  if (::initgroups(entry->pw_name, entry->pw_gid) != 0 || ::setgid(entry->pw_gid) != 0 || ::setuid(entry->pw_uid) != 0) {
    throw Error(ErrorCode::state_unavailable, "cannot become user " + std::string(entry->pw_name) + ": " + errno_text(errno));
  }
  ::setenv("HOME", home.c_str(), 1);
  // A change of user makes the process traceable again.
  ::prctl(PR_SET_DUMPABLE, 0);
}

// NOLINTEND(concurrency-mt-unsafe)

// A file that is opened while one of these is closed gets its number, and what the program says would be written into it: the database, a message.
// Who starts a program with a stream closed does not want what comes there, so it goes to /dev/null, and is no error.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest number that is free, so this one. Without it nothing may be opened at all.
    if (::open("/dev/null", O_RDWR) != stream) std::abort();
  }
}

}  // namespace

void harden_process() {
  open_standard_streams();
  ::umask(077);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write, and not the end of all accounts
  ::prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;  // a batch holds hundreds of files open until they are synced
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

Paths choose_paths(const std::string& config_option, const std::string& state_option, bool system_option) {
  Paths paths;
  const bool root = ::geteuid() == 0;
  paths.system = system_option || root || is_system_user();
  if (paths.system) {
    paths.config_file = kSystemConfig;
    paths.state_dir = kSystemState;
  }
  if (!state_option.empty()) paths.state_dir = without_trailing_slash(absolute(state_option));
  if (root && state_option.empty()) become_owner(paths.state_dir);
  paths.stays_root = root && !state_option.empty();
  paths.home = home_directory();
  if (!config_option.empty()) {
    paths.config_file = absolute(config_option);
    paths.config_must_exist = true;
  }
  if (paths.config_file.empty()) paths.config_file = xdg_directory("XDG_CONFIG_HOME", paths.home, "/.config") + "/popsync/popsync.toml";
  if (paths.state_dir.empty()) paths.state_dir = xdg_directory("XDG_STATE_HOME", paths.home, "/.local/state") + "/popsync";
  return paths;
}

}  // namespace popsync
