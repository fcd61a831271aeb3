// SPDX-License-Identifier: MIT
#include "support/program_run.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "support/server_socket.h"
#include "support/skip.h"

namespace popsync::test {

namespace {

constexpr uid_t kNobody = 65534;
constexpr std::size_t kInputOctetsMax = 4096;  // what a pipe surely holds

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  return {.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

// Filled before anybody reads: with the reading end still ours, no write can raise SIGPIPE.
Pipe input_pipe(const std::string& input) {
  Pipe pipe = make_pipe();
  if (input.size() > kInputOctetsMax || ::write(pipe.write.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
    throw std::runtime_error("cannot give the program its input");
  }
  pipe.write.reset();
  return pipe;
}

// Our end is `read`, the program's is `write`.
Pipe make_terminal() {
  UniqueFd ours(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!ours.valid() || ::grantpt(ours.get()) != 0 || ::unlockpt(ours.get()) != 0) throw std::runtime_error("cannot make a terminal");
  std::array<char, 128> name{};
  if (::ptsname_r(ours.get(), name.data(), name.size()) != 0) throw std::runtime_error("the terminal has no name");
  UniqueFd its(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!its.valid()) throw std::runtime_error("cannot open the terminal");
  return {.read = std::move(ours), .write = std::move(its)};
}

// The program's end is `read`, as of a pipe. Ours has to stay open.
Pipe input_terminal(const std::string& input) {
  constexpr char kEndOfInput = 4;
  Pipe terminal = make_terminal();
  std::swap(terminal.read, terminal.write);
  const std::string typed = input + kEndOfInput;
  if (::write(terminal.write.get(), typed.data(), typed.size()) != static_cast<ssize_t>(typed.size())) {
    throw std::runtime_error("cannot type the program's input");
  }
  return terminal;
}

std::string absolute(const std::string& program) {
  const auto found = find_program(program.empty() ? built_program() : program);
  if (!found) throw std::runtime_error("there is no program " + (program.empty() ? built_program() : program));
  return *found;
}

std::vector<std::string> environment_words(const ProgramCall& call) {
  std::map<std::string, std::string> all = call.environment;
  for (const char* name : {"PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = ::getenv(name); value != nullptr) all.emplace(name, value);
  }
  std::vector<std::string> words;
  for (const auto& [name, value] : all) words.push_back(name + "=" + value);
  return words;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: other threads of the test may have held any lock, so nothing here allocates.
[[noreturn]] void become(const ProgramCall& call, const char* program, char* const* arguments, char* const* environment,
                         const std::array<int, 3>& streams, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int stream = 0; stream < 3; ++stream) ::dup2(streams[static_cast<std::size_t>(stream)], stream);
  const int file = ::open(program, O_PATH | O_CLOEXEC);  // now: nobody may have no way to it, below root's home
  if (call.unprivileged && ::geteuid() == 0) {
    if (::setgroups(call.groups.size(), call.groups.data()) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(126);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after setuid, which clears it
  if (::getppid() != parent) ::_exit(126);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (call.traced && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(125);
  ::execveat(file, "", arguments, environment, AT_EMPTY_PATH);
  ::_exit(127);
}

// Takes what is there; false at the end. A terminal without a writer says EIO.
bool take(const UniqueFd& fd, std::string& text) {
  std::array<char, 65536> octets{};
  const ssize_t got = ::read(fd.get(), octets.data(), octets.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;
  text.append(octets.data(), static_cast<std::size_t>(got));
  return true;
}

}  // namespace

ProgramRun::ProgramRun(const ProgramCall& call) {
  const std::string program = absolute(call.program);
  std::vector<std::string> words = call.arguments;
  words.insert(words.begin(), program.substr(program.rfind('/') + 1));
  std::vector<std::string> environment = environment_words(call);
  const std::vector<char*> argv = pointers_to(words);
  const std::vector<char*> envp = pointers_to(environment);
  Pipe in = call.input_on_terminal ? input_terminal(call.input) : input_pipe(call.input);
  Pipe out = call.on_terminal ? make_terminal() : make_pipe();
  Pipe err = call.on_terminal ? Pipe{} : make_pipe();
  const std::array<int, 3> streams = {in.read.get(), out.write.get(), call.on_terminal ? out.write.get() : err.write.get()};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) become(call, program.c_str(), argv.data(), envp.data(), streams, parent);
  handle_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));  // glibc 2.36 declares pidfd_open() for C only
  in_ = std::move(in.write);
  out_ = std::move(out.read);
  err_ = std::move(err.read);
}

ProgramRun::~ProgramRun() {
  if (ended_) return;
  ::kill(pid_, SIGKILL);
  reap();
}

void ProgramRun::signal(int number) const {
  if (!ended_) ::kill(pid_, number);
}

bool ProgramRun::wait_for_out(const std::string& text, std::chrono::milliseconds patience) {
  return read_until([&] { return result_.out.find(text) != std::string::npos; }, patience);
}

bool ProgramRun::wait_for_err(const std::string& text, std::chrono::milliseconds patience) {
  return read_until([&] { return result_.err.find(text) != std::string::npos; }, patience);
}

const ProgramResult& ProgramRun::wait(std::chrono::milliseconds patience) {
  if (!ended_) {
    read_until([] { return false; }, patience);
    reap();
  }
  return result_;
}

bool ProgramRun::read_until(const std::function<bool()>& enough, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  // A child that outlives the program may keep the pipes open: its end ends the reading too, once the pipes are empty.
  bool over = ended_;
  while (!enough()) {
    std::array<pollfd, 3> waiting = {{{.fd = out_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = err_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = over ? -1 : handle_.get(), .events = POLLIN, .revents = 0}}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(waiting.data(), waiting.size(), over ? 0 : static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0) continue;
    if (ready == 0 && over) return false;
    if (ready == 0) throw std::runtime_error("popsync did not get there in time; out: " + result_.out + "\nerr: " + result_.err);
    if (waiting[0].revents != 0 && !take(out_, result_.out)) out_.reset();
    if (waiting[1].revents != 0 && !take(err_, result_.err)) err_.reset();
    over = over || waiting[2].revents != 0;
  }
  return true;
}

void ProgramRun::reap() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  result_.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  ended_ = true;
}

std::string built_program() {
  const char* other = ::getenv("POPSYNC_PROGRAM");
  return other == nullptr ? POPSYNC_PROGRAM : other;
}

ProgramResult run_program(const ProgramCall& call) {
  ProgramRun run(call);
  return run.wait();
}

}  // namespace popsync::test
