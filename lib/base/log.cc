// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"

namespace popsync {
namespace {

constexpr std::size_t kLineOctetsMax = 4096;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view view_of(const spdlog::string_view_t& text) { return {text.data(), text.size()}; }

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

class LineFormatter : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string line = format_ == LogFormat::json ? as_json(message) : as_text(message);
    out.append(line.data(), line.data() + line.size());
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(format_); }

 private:
  [[nodiscard]] std::string as_text(const spdlog::details::log_msg& message) const {
    std::string line = format_ == LogFormat::plain ? rfc3339_utc(message.time) + " " : "";
    if (message.level == spdlog::level::warn) line += "warning: ";
    if (message.level == spdlog::level::err) line += "error: ";
    if (message.logger_name.size() > 0) line += std::string(view_of(message.logger_name)) + ": ";
    return line + std::string(view_of(message.payload)) + "\n";
  }

  // No control character gets this far, so quotes and backslashes are all that JSON needs escaped.
  static std::string as_json(const spdlog::details::log_msg& message) {
    return "{\"time\":\"" + rfc3339_utc(message.time) + "\",\"level\":\"" + std::string(view_of(spdlog::level::to_string_view(message.level))) +
           "\",\"account\":" + json_string(view_of(message.logger_name)) + ",\"message\":" + json_string(view_of(message.payload)) + "}\n";
  }

  LogFormat format_;
};

struct Log {
  std::mutex mutex;  // guards sink
  std::shared_ptr<spdlog::sinks::sink> sink;
  std::atomic<LogLevel> level{LogLevel::info};
  std::mutex frame_mutex;  // guards frame, and is held while a line is in it
  std::function<void(const std::function<void()>& write)> frame;
};

Log& the_log() {
  static Log log;
  return log;
}

std::shared_ptr<spdlog::sinks::sink> current_sink() {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  if (!log.sink) {
    log.sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    log.sink->set_formatter(std::make_unique<LineFormatter>(LogFormat::bare));
  }
  return log.sink;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

void log_line(LogLevel level, std::string_view account, std::string_view text) {
  if (level < the_log().level.load(std::memory_order_relaxed)) return;
  const std::string safe = has_control(text) || text.size() > kLineOctetsMax ? escaped(text, kLineOctetsMax) : std::string(text);
  const std::string name(account);
  const auto sink = current_sink();
  const auto write = [&] {
    sink->log(spdlog::details::log_msg(spdlog::string_view_t(name), to_spdlog(level), spdlog::string_view_t(safe)));
    sink->flush();
  };
  const std::lock_guard lock(the_log().frame_mutex);
  if (the_log().frame) {
    the_log().frame(write);
  } else {
    write();
  }
}

void log_thrown(std::string_view account, std::string_view what) noexcept {
  try {
    const std::string beginning = std::string(what) + ": ";
    try {
      throw;
    } catch (const Error& error) {
      log_error(account, beginning + error.what());
    } catch (const std::exception& exception) {
      log_error(account, beginning + escaped(exception.what()));
    } catch (...) {
      log_error(account, beginning + "an exception of an unknown type");
    }
  } catch (...) {
    return;
  }
}

void set_log_level(LogLevel level) { the_log().level = level; }

void log_to_stderr(LogFormat format) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_formatter(std::make_unique<LineFormatter>(format));
  log_to(std::move(sink));
}

void frame_log(std::function<void(const std::function<void()>& write)> frame) {
  Log& log = the_log();
  const std::lock_guard lock(log.frame_mutex);
  log.frame = std::move(frame);
}

void log_to(std::shared_ptr<spdlog::sinks::sink> sink) {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.sink = std::move(sink);
}

}  // namespace popsync
