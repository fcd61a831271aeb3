// SPDX-License-Identifier: MIT
#include "observe/journal_sink.h"

#define SD_JOURNAL_SUPPRESS_LOCATION  // CODE_FILE= would name this file in every entry
#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/sink.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include <cstdio>

namespace popsync::observe {
namespace {

int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return LOG_DEBUG;
    case LogLevel::info: return LOG_INFO;
    case LogLevel::warning: return LOG_WARNING;
    case LogLevel::error: return LOG_ERR;
  }
  return LOG_ERR;
}

LogLevel level_of(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return LogLevel::debug;
  if (level == spdlog::level::info) return LogLevel::info;
  if (level == spdlog::level::warn) return LogLevel::warning;
  return LogLevel::error;
}

// As in the log on a terminal: journalctl shows nothing but the message.
std::string message_of(std::string_view account, std::string_view text) {
  return account.empty() ? std::string(text) : std::string(account) + ": " + std::string(text);
}

class JournalSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const LogLevel level = level_of(message.level);
    const std::string_view account(message.logger_name.data(), message.logger_name.size());
    const std::string_view text(message.payload.data(), message.payload.size());
    std::vector<std::string> fields = journal_fields(level, account, text);
    std::vector<iovec> parts;
    for (std::string& field : fields) parts.push_back({field.data(), field.size()});
    if (::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0) return;
    const std::string line = "<" + std::to_string(priority_of(level)) + ">" + message_of(account, text) + "\n";
    std::fputs(line.c_str(), stderr);
  }

  void flush() override {}
  // The journal has its own form.
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
};

}  // namespace

std::shared_ptr<spdlog::sinks::sink> make_journal_sink() { return std::make_shared<JournalSink>(); }

std::vector<std::string> journal_fields(LogLevel level, std::string_view account, std::string_view text) {
  std::vector<std::string> fields = {"MESSAGE=" + message_of(account, text), "PRIORITY=" + std::to_string(priority_of(level)),
                                     "SYSLOG_IDENTIFIER=popsync"};
  if (!account.empty()) fields.push_back("POPSYNC_ACCOUNT=" + std::string(account));
  return fields;
}

}  // namespace popsync::observe
