// SPDX-License-Identifier: MIT
#include "secrets/password_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/escape.h"
#include "secrets/secret_source.h"

namespace popsync::secrets {
namespace {

constexpr std::size_t kStderrOctetsMax = 4096;  // of the program's complaint; one line of it is shown
constexpr int kLastReadsMax = 64;               // a pipe holds 64 KiB; an agent that goes on writing must not keep us
constexpr int kFirstFreeFd = 3;

// What the service manager tells popsync alone: where it puts secrets, and how to speak to it in the service's name ("STOPPING=1", a descriptor to
// keep, "I am well"). Sockets that it passes are closed, so their number would mislead.
constexpr std::array<std::string_view, 8> kManagersVariables = {
    "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "FDSTORE"};

[[noreturn]] void fail(const std::vector<std::string>& argv, const std::string& what, std::string hint = {}) {
  throw Error(ErrorCode::secret_unavailable, "password_command \"" + escaped(argv.front()) + "\" " + what, std::move(hint));
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe(const std::vector<std::string>& argv) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(argv, "cannot be started: " + errno_text(errno));
  Pipe made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  // A program without stdin gets descriptors 0 to 2 for its pipes; the dup2 calls in the child would then overwrite each other.
  if (made.write_end.get() < kFirstFreeFd) {
    made.write_end.reset(::fcntl(ends[1], F_DUPFD_CLOEXEC, kFirstFreeFd));
    if (!made.write_end.valid()) fail(argv, "cannot be started: " + errno_text(errno));
  }
  // After the program has ended, a grandchild may hold the pipe open: what is there is taken without waiting for more.
  ::fcntl(made.read_end.get(), F_SETFL, O_NONBLOCK);
  return made;
}

std::vector<char*> environment_without(const std::vector<std::string>& hidden) {
  std::vector<char*> kept;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool managers = std::ranges::find(kManagersVariables, name) != kManagersVariables.end();
    if (!managers && std::ranges::find(hidden, name) == hidden.end()) kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

// What the child sets up between fork and exec, as the C library can do it safely beside other threads.
class SpawnPlan {
 public:
  SpawnPlan(int stdout_fd, int stderr_fd, int terminal) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, stdout_fd, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, stderr_fd, STDERR_FILENO);
    if (terminal >= 0) ::posix_spawn_file_actions_addtcsetpgrp_np(&actions_, terminal);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstFreeFd);
    sigset_t every;
    sigset_t blocked;
    sigfillset(&every);
    sigemptyset(&blocked);
    // Ctrl-Z would stop the program but not us, and nobody could continue it.
    if (terminal >= 0) sigaddset(&blocked, SIGTSTP);
    ::posix_spawnattr_setsigdefault(&attributes_, &every);
    ::posix_spawnattr_setsigmask(&attributes_, &blocked);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A running program; killed with its group and reaped unless wait() came first.
class Child {
 public:
  Child(const std::vector<std::string>& argv, const std::vector<std::string>& hidden, const SpawnPlan& plan) {
    std::vector<std::string> words = argv;
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    std::vector<char*> environment = environment_without(hidden);
    const int result = ::posix_spawnp(&pid_, pointers.front(), plan.actions(), plan.attributes(), pointers.data(), environment.data());
    if (result == 0) return;
    pid_ = -1;
    if (result == ENOENT && argv.front().find('/') == std::string::npos) {
      fail(argv, "is not in PATH", "install it or write its absolute path; under systemd PATH is short");
    }
    fail(argv, "cannot be started: " + errno_text(result));
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    wait();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

enum class Stream { open, drained, ended };

// What follows the first line is read and dropped, so that the program does not hang in a write.
Stream read_output(int fd, SecretBuffer& output, const std::vector<std::string>& argv) {
  const bool line_complete = output.content().ends_with('\n');
  if (output.free_size() == 0) fail(argv, "prints too much for a secret", "its first line must be the password");
  const ssize_t got = ::read(fd, output.free_space(), output.free_size());
  if (got <= 0) return got < 0 ? Stream::drained : Stream::ended;
  if (line_complete) return Stream::open;
  const std::string_view fresh(output.free_space(), static_cast<std::size_t>(got));
  const std::size_t line_end = fresh.find('\n');
  output.keep(line_end == std::string_view::npos ? fresh.size() : line_end + 1);
  return Stream::open;
}

Stream read_complaint(int fd, std::string& text) {
  std::array<char, kStderrOctetsMax> chunk{};
  const ssize_t got = ::read(fd, chunk.data(), chunk.size());
  if (got <= 0) return got < 0 ? Stream::drained : Stream::ended;
  text.append(chunk.data(), std::min(static_cast<std::size_t>(got), kStderrOctetsMax - text.size()));
  return Stream::open;
}

// How long poll() may wait; throws when nothing is left of `limit`.
int time_left_ms(const std::vector<std::string>& argv, std::optional<std::chrono::milliseconds> limit,
                 std::chrono::steady_clock::time_point started) {
  if (!limit) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(started + *limit - std::chrono::steady_clock::now());
  if (left.count() > 0) return static_cast<int>(left.count());
  fail(argv, "did not finish in time",
       "without a terminal it has " + std::to_string(kPasswordCommandSeconds.count()) +
           " s and must not wait for a person; run it by hand as this user");
}

}  // namespace

CommandRun run_password_command(const std::vector<std::string>& argv, const std::vector<std::string>& hidden_variables,
                                std::optional<std::chrono::milliseconds> limit, int terminal, const StopSignal& stop, SecretBuffer& output) {
  Pipe out = make_pipe(argv);
  Pipe complaint = make_pipe(argv);
  Child child(argv, hidden_variables, SpawnPlan(out.write_end.get(), complaint.write_end.get(), terminal));
  out.write_end.reset();
  complaint.write_end.reset();
  // By number: the header of glibc 2.36 declares pidfd_open without C linkage.
  const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0)));
  if (!ended.valid()) fail(argv, "cannot be watched: " + errno_text(errno));

  CommandRun run;
  const auto started = std::chrono::steady_clock::now();
  // poll() skips a negative descriptor, which is how a stream that has ended leaves the set.
  std::array<pollfd, 4> waits = {pollfd{ended.get(), POLLIN, 0}, pollfd{stop.fd(), POLLIN, 0}, pollfd{out.read_end.get(), POLLIN, 0},
                                 pollfd{complaint.read_end.get(), POLLIN, 0}};
  auto& [ended_wait, stop_wait, out_wait, complaint_wait] = waits;
  while (ended_wait.revents == 0) {
    if (::poll(waits.data(), waits.size(), time_left_ms(argv, limit, started)) < 0) {
      if (errno != EINTR) fail(argv, "cannot be watched: " + errno_text(errno));
      continue;
    }
    if (stop_wait.revents != 0) throw Error(ErrorCode::interrupted, "stopped while password_command \"" + escaped(argv.front()) + "\" was running");
    if (out_wait.revents != 0 && read_output(out_wait.fd, output, argv) == Stream::ended) out_wait.fd = -1;
    if (complaint_wait.revents != 0 && read_complaint(complaint_wait.fd, run.stderr_text) == Stream::ended) complaint_wait.fd = -1;
  }
  // An agent the program left behind may keep the pipes open for ever, so not their end counts but the program's: what is in them now is all.
  for (int reads = 0; reads < kLastReadsMax && read_output(out.read_end.get(), output, argv) == Stream::open; ++reads) continue;
  for (int reads = 0; reads < kLastReadsMax && read_complaint(complaint.read_end.get(), run.stderr_text) == Stream::open; ++reads) continue;
  run.status = child.wait();
  return run;
}

}  // namespace popsync::secrets
