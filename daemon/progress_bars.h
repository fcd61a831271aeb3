// SPDX-License-Identifier: MIT
// One line for each running account on a terminal: bar, messages, octets, rate, time left. Redrawn in place at most kDrawsPerSecond times a second.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "sync/sync_report.h"

namespace popsync {

constexpr int kDrawsPerSecond = 10;

// Thread-safe. Draws on standard error; the bars are wiped when it is destroyed. While it lives nothing else may be written to the terminal but what
// goes through it, or the bars are drawn in the wrong place and wipe what was written: the log does by itself, all else by print().
class ProgressBars {
 public:
  ProgressBars();
  ~ProgressBars();
  ProgressBars(const ProgressBars&) = delete;
  ProgressBars& operator=(const ProgressBars&) = delete;

  void show(const std::string& account, const sync::Progress& progress);
  // Takes the account's bar away.
  void finish(const std::string& account);
  // `write` writes whole lines to standard output or standard error; they stand above the bars.
  void print(const std::function<void()>& write);

 private:
  struct Bar {
    sync::Progress progress;
    SteadyTime since{};
  };
  void draw();
  void wipe();

  std::mutex mutex_;  // guards all below
  std::map<std::string, Bar> bars_;
  std::size_t lines_drawn_ = 0;
  SteadyTime last_draw_{};
};

// True if bars and colour make sense on standard error: a terminal that is not dumb.
bool terminal_shows_progress();
// The bar's text without control codes; for tests.
std::string progress_text(const std::string& account, const sync::Progress& progress, std::chrono::milliseconds elapsed, std::size_t width);

}  // namespace popsync
