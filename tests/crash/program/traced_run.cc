// SPDX-License-Identifier: MIT
#include "traced_run.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>

#include "registers.h"

namespace popsync::test {

namespace {

constexpr int kSystemCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

class Tracer {
 public:
  Tracer(pid_t program, const Strike& strike, const std::vector<std::string>& folders) : program_(program), strike_(strike), folders_(folders) {}

  // Until the program's end, which is left for others to reap.
  TracedResult follow() {
    begin();
    while (const std::optional<pid_t> thread = next_stopped()) take(*thread);
    return std::move(traced_);
  }

 private:
  void begin() {
    if (next_stopped() != program_) throw std::runtime_error("the program ended before it could be traced");
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    if (::ptrace(PTRACE_SETOPTIONS, program_, nullptr, options) != 0) throw std::system_error(errno, std::system_category(), "PTRACE_SETOPTIONS");
    go_on(program_, 0);
  }

  // The next thread that stopped, its wait status in status_; nothing once the program has ended. Threads that ended are reaped on the way.
  std::optional<pid_t> next_stopped() {
    while (true) {
      siginfo_t event{};
      if (::waitid(P_ALL, 0, &event, WEXITED | WSTOPPED | WNOWAIT | __WALL | __WNOTHREAD) != 0) {
        if (errno == EINTR) continue;
        throw std::system_error(errno, std::system_category(), "waitid");
      }
      const bool ended = event.si_code == CLD_EXITED || event.si_code == CLD_KILLED || event.si_code == CLD_DUMPED;
      if (ended && event.si_pid == program_) return std::nullopt;
      if (::waitpid(event.si_pid, &status_, __WALL | __WNOTHREAD) == event.si_pid && WIFSTOPPED(status_)) return event.si_pid;
    }
  }

  void take(pid_t thread) {
    const int signal = WSTOPSIG(status_);
    if (signal == kSystemCallStop) {
      take_system_call(thread);
    } else {
      // SIGTRAP tells of a new thread, and SIGSTOP is how that one begins.
      go_on(thread, signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
    }
  }

  void take_system_call(pid_t thread) {
    __ptrace_syscall_info call{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof call, &call) <= 0) return go_on(thread, 0);  // it is being killed
    if (call.op == PTRACE_SYSCALL_INFO_ENTRY) {
      std::array<std::uint64_t, 6> arguments{};
      std::ranges::copy(call.entry.args, arguments.begin());
      if (call.entry.nr == SYS_prctl && arguments[0] == PR_SET_DUMPABLE) set_second_argument(thread, 1);  // or nobody but root may look into it
      const auto made = file_call(thread, call.entry.nr, arguments, folders_);
      if (made) {
        traced_.calls.push_back(*made);
        if (traced_.struck) traced_.afterwards.push_back(*made);
        in_call_[thread] = *made;
        if (strike_.error == 0 && is_the_one("before ", *made)) return kill();
      }
    } else if (const auto made = in_call_.extract(thread); made) {
      if (is_the_one("after ", made.mapped())) {
        if (strike_.error == 0) return kill();
        set_result(thread, -strike_.error);
      }
    }
    go_on(thread, 0);
  }

  bool is_the_one(const char* when, const FileCall& call) {
    if (traced_.struck || (strike_.counts && !strike_.counts(call)) || ++stops_ != strike_.nth) return false;
    traced_.struck = true;
    traced_.where = when + call.name + " " + call.path;
    return true;
  }

  // The thread is left where it stands: SIGKILL ends it there.
  void kill() const { ::kill(program_, SIGKILL); }

  // A thread that was killed meanwhile (ESRCH) needs nothing.
  static void go_on(pid_t thread, int signal) { (void)::ptrace(PTRACE_SYSCALL, thread, nullptr, static_cast<long>(signal)); }

  pid_t program_;
  const Strike& strike_;
  const std::vector<std::string>& folders_;
  int status_ = 0;
  std::size_t stops_ = 0;
  std::map<pid_t, FileCall> in_call_;
  TracedResult traced_;
};

}  // namespace

bool tracing_is_allowed() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TracedResult run_and_strike(const Strike& strike, ProgramCall call, const std::vector<std::string>& folders) {
  call.traced = true;
  call.environment.emplace("ASAN_OPTIONS", "detect_leaks=0");  // LeakSanitizer does not work in a traced program
  ProgramRun run(call);
  strike.started(run.pid());
  TracedResult traced = Tracer(run.pid(), strike, folders).follow();
  traced.result = run.wait();
  return traced;
}

}  // namespace popsync::test
