// SPDX-License-Identifier: MIT
// The log: one event, one line. Nothing below this header names the log library. Foreign text must have passed escaped() before.
// A healthy daemon with nothing new logs nothing at info.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog::sinks {
class sink;
}

namespace popsync {

enum class LogLevel { debug, info, warning, error };

// Writes one line about `account` (empty: about the program). Thread-safe; newlines in `text` are escaped here as a last resort.
void log_line(LogLevel level, std::string_view account, std::string_view text);

inline void log_debug(std::string_view account, std::string_view text) { log_line(LogLevel::debug, account, text); }
inline void log_info(std::string_view account, std::string_view text) { log_line(LogLevel::info, account, text); }
inline void log_warning(std::string_view account, std::string_view text) { log_line(LogLevel::warning, account, text); }
inline void log_error(std::string_view account, std::string_view text) { log_line(LogLevel::error, account, text); }

// To be called in a catch block: an error line "`what`: " and what was thrown, of whatever type. Without the memory for a line there is none.
void log_thrown(std::string_view account, std::string_view what) noexcept;

// Lines below `level` are dropped. The default is info.
void set_log_level(LogLevel level);

enum class LogFormat { bare, plain, json };  // bare: no time (commands on a terminal); plain: with time
// Sends the log to stderr in this format (the default is bare).
void log_to_stderr(LogFormat format);
// Sends the log to another sink; the logger's name in each message is the account.
void log_to(std::shared_ptr<spdlog::sinks::sink> sink);

// Each line is written by a call of `frame`, which calls what it is given once: for who keeps something on the terminal that is not to be written
// over. Lines come one after the other, and `frame` must not log. Empty: as they are. No line is in the old frame any more when this returns.
void frame_log(std::function<void(const std::function<void()>& write)> frame);

}  // namespace popsync
