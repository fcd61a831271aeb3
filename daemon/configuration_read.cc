// SPDX-License-Identifier: MIT
#include "configuration_read.h"

#include <sstream>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/folders.h"
#include "base/random.h"
#include "config/config_loader.h"
#include "observe/service_manager.h"

namespace popsync {
namespace {

constexpr const char* kWord = "configuration";
constexpr std::size_t kConditionDigits = 16;

std::vector<std::string> files_of(const std::string& main_file) {
  try {
    return config::files_of(main_file);
  } catch (const Error&) {  // who loads them says so
    return {main_file};
  }
}

}  // namespace

ConfigurationRead configuration_now(const std::string& main_file) {
  std::string text;
  for (const std::string& file : files_of(main_file)) text += condition_of(file);
  return {.file = main_file,
          .at = system_clock().wall(),
          .condition = to_hex(sha256(text)).substr(0, kConditionDigits),
          .service = observe::running_under_systemd()};
}

void tell_configuration(const state::FileLock& daemon, const ConfigurationRead& read) {
  daemon.note(std::string(kWord) + " " + std::to_string(to_unix_seconds(read.at)) + " " + read.condition +
              (read.service ? " service " : " terminal ") + read.file);
}

std::optional<ConfigurationRead> configuration_of(const state::LockHolder& daemon) {
  std::istringstream words(daemon.note);
  std::string word;
  std::int64_t at = 0;
  std::string started_by;
  ConfigurationRead read;
  if (!(words >> word >> at >> read.condition >> started_by >> std::ws) || word != kWord) return std::nullopt;
  std::getline(words, read.file);
  read.at = from_unix_seconds(at);
  read.service = started_by == "service";
  return read;
}

std::optional<FileChange> changed_since(const ConfigurationRead& read) {
  if (configuration_now(read.file).condition == read.condition) return std::nullopt;
  std::vector<std::string> places = files_of(read.file);
  places.push_back(folder_of(read.file) + "/conf.d");  // one of its files was removed, perhaps
  if (auto last = last_change(places)) return last;
  return FileChange{.file = read.file, .at = system_clock().wall()};
}

}  // namespace popsync
