// SPDX-License-Identifier: MIT
// The built program as a user runs it: a process of its own, its standard streams held by the test. It is killed when the run is destroyed, so a test
// that gives up leaves nothing behind. One thread. Every wait has a deadline and throws std::runtime_error with what the program has said so far.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace popsync::test {

struct ProgramCall {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment = {};  // all of it, but for PATH, TMPDIR and the sanitizers' options, which are ours
  std::string input = {};                               // standard input (4 kB at most), then its end
  bool input_on_terminal = false;                       // standard input is a terminal, and `input` is typed there
  bool on_terminal = false;                             // standard output and standard error are a terminal: both come in `out`
  bool unprivileged = false;                            // root runs it as nobody, so that file permissions bind
  std::vector<gid_t> groups = {};                       // that nobody is in besides
  bool traced = false;                                  // by the thread that starts it (ptrace(2)): it stops at its first instruction
  std::string program = {};                             // default: popsync, as built ($POPSYNC_PROGRAM overrides)
};

struct ProgramResult {
  int status = 0;  // exit status; 128 + number if a signal ended it
  std::string out;
  std::string err;
};

class ProgramRun {
 public:
  static constexpr std::chrono::seconds kPatience{60};

  // Starts it. Throws std::runtime_error if that is not possible.
  explicit ProgramRun(const ProgramCall& call);
  ProgramRun(const ProgramRun&) = delete;
  ProgramRun& operator=(const ProgramRun&) = delete;
  ~ProgramRun();

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Until the text has been written. False if the program ended without it.
  bool wait_for_out(const std::string& text, std::chrono::milliseconds patience = kPatience);
  bool wait_for_err(const std::string& text, std::chrono::milliseconds patience = kPatience);
  // Until its end; the same result every time.
  const ProgramResult& wait(std::chrono::milliseconds patience = kPatience);

  // Said so far.
  [[nodiscard]] const std::string& out() const { return result_.out; }
  [[nodiscard]] const std::string& err() const { return result_.err; }

 private:
  // Reads until the predicate holds or the program has ended and said all; false in the latter case.
  bool read_until(const std::function<bool()>& enough, std::chrono::milliseconds patience);
  void reap();

  pid_t pid_ = -1;
  bool ended_ = false;
  UniqueFd in_;      // of a terminal
  UniqueFd handle_;  // pidfd: readable once it has ended
  UniqueFd out_;
  UniqueFd err_;
  ProgramResult result_;
};

// The path of popsync, for a shell that is to run it.
std::string built_program();

// Starts it and waits for its end.
ProgramResult run_program(const ProgramCall& call);

}  // namespace popsync::test
