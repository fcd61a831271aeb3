// SPDX-License-Identifier: MIT
#include "log_setup.h"

#include <map>

#include "base/log.h"
#include "observe/journal_sink.h"
#include "observe/service_manager.h"

namespace popsync {

void set_up_log(const config::Daemon& daemon, int verbosity) {
  static const std::map<std::string, LogLevel> kLevels = {
      {"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warning", LogLevel::warning}, {"error", LogLevel::error}};
  if (verbosity == 0) set_log_level(kLevels.at(daemon.log_level));
  switch (daemon.log_format) {
    case config::LogFormatKey::json: log_to_stderr(LogFormat::json); break;
    case config::LogFormatKey::plain: log_to_stderr(LogFormat::plain); break;
    case config::LogFormatKey::automatic:
      if (observe::stderr_is_journal()) {
        log_to(observe::make_journal_sink());
      } else {
        log_to_stderr(LogFormat::plain);
      }
  }
}

}  // namespace popsync
