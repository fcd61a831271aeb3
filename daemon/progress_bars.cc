// SPDX-License-Identifier: MIT
#include "progress_bars.h"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "base/format.h"
#include "base/log.h"

namespace popsync {
namespace {

constexpr std::size_t kBarWidth = 24;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string_view phase_text(sync::Progress::Phase phase) {
  switch (phase) {
    case sync::Progress::Phase::connecting: return "connecting";
    case sync::Progress::Phase::listing: return "looking";
    case sync::Progress::Phase::retrieving: return "";
    case sync::Progress::Phase::publishing: return "waiting for the disk";
    case sync::Progress::Phase::deleting: return "deleting on the server";
  }
  return "";
}

}  // namespace

ProgressBars::ProgressBars() {
  frame_log([this](const std::function<void()>& write) { print(write); });
}

ProgressBars::~ProgressBars() {
  frame_log({});
  const std::lock_guard lock(mutex_);
  wipe();
}

void ProgressBars::show(const std::string& account, const sync::Progress& progress) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = system_clock().steady();
  Bar& bar = bars_[account];
  const bool starts = bar.progress.phase != progress.phase;
  if (bar.since == SteadyTime{} || (starts && progress.phase == sync::Progress::Phase::retrieving)) bar.since = now;
  bar.progress = progress;
  if (!starts && now - last_draw_ < std::chrono::milliseconds(1000 / kDrawsPerSecond)) return;
  last_draw_ = now;
  draw();
}

void ProgressBars::finish(const std::string& account) {
  const std::lock_guard lock(mutex_);
  bars_.erase(account);
  draw();
}

void ProgressBars::print(const std::function<void()>& write) {
  const std::lock_guard lock(mutex_);
  wipe();
  std::cerr.flush();
  write();
  std::cout.flush();
  draw();
}

void ProgressBars::draw() {
  wipe();
  const std::size_t width = terminal_width();
  for (const auto& [account, bar] : bars_) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(system_clock().steady() - bar.since);
    std::cerr << progress_text(account, bar.progress, elapsed, width) << '\n';
  }
  lines_drawn_ = bars_.size();
  std::cerr.flush();
}

void ProgressBars::wipe() {
  for (; lines_drawn_ > 0; --lines_drawn_) std::cerr << "\x1b[A\x1b[2K";
}

bool terminal_shows_progress() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::string progress_text(const std::string& account, const sync::Progress& progress, std::chrono::milliseconds elapsed, std::size_t width) {
  std::string text = account + "  ";
  if (progress.phase != sync::Progress::Phase::retrieving) {
    text += phase_text(progress.phase);
    return text.substr(0, width - 1);
  }
  const double share =
      progress.octets_total == 0 ? 1.0 : std::min(1.0, static_cast<double>(progress.octets_done) / static_cast<double>(progress.octets_total));
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarWidth));
  text += "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "]";
  text += fmt::format("  {} of {}  {} of {}", progress.messages_done, progress.messages_total, human_octets(progress.octets_done),
                      human_octets(progress.octets_total));
  if (elapsed >= std::chrono::seconds(1)) {
    const auto rate = static_cast<std::uint64_t>(static_cast<double>(progress.octets_done) * 1000.0 / static_cast<double>(elapsed.count()));
    text += fmt::format("  {}/s", human_octets(rate));
    const std::uint64_t left = progress.octets_total - std::min(progress.octets_total, progress.octets_done);
    if (rate > 0 && left > 0) text += "  " + human_duration(std::chrono::seconds(left / rate + 1)) + " left";
  }
  return text.substr(0, width - 1);
}

}  // namespace popsync
