// SPDX-License-Identifier: MIT
#include "state/use_mark.h"

#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/escape.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/random.h"

namespace popsync::state {
namespace {

constexpr std::string_view kPrefix = "sessions.";

UniqueFd open_directory(const std::string& directory) {
  auto dir = real_fs().open_root(directory);
  if (!dir) throw Error(ErrorCode::state_unavailable, "the state directory " + escaped(directory) + " is gone");
  return std::move(*dir);
}

FileLock hold(const std::string& path) {
  auto lock = FileLock::try_take(path, "popsync");
  if (!lock) throw Error(ErrorCode::state_unavailable, escaped(path) + " is locked by another program");
  return std::move(*lock);
}

}  // namespace

UseMark::UseMark(const std::string& directory)
    : directory_(open_directory(directory)),
      name_(std::string(kPrefix) + std::to_string(::getpid()) + "." + to_hex(random_octets(4))),
      lock_(hold(directory + "/" + name_)) {
  real_fs().sync_directory(directory_.get());
}

UseMark::~UseMark() {
  if (!directory_.valid()) return;
  try {
    // Before the lock goes, so that nobody takes it for one left behind.
    real_fs().unlink(directory_.get(), name_);
  } catch (const Error& error) {
    log_debug("", error.what());  // it counts as left behind then, and some questions are asked once more
  }
}

std::vector<std::string> marks_left_behind(const std::string& directory) {
  const UniqueFd dir = open_directory(directory);
  std::vector<std::string> left;
  for (std::string& name : real_fs().list(dir.get())) {
    if (!name.starts_with(kPrefix) || lock_holder((std::filesystem::path(directory) / name).string())) continue;
    // A process that ends well removes the name before it lets go of the lock.
    if (real_fs().stat(dir.get(), name)) left.push_back(std::move(name));
  }
  return left;
}

void remove_marks(const std::string& directory, const std::vector<std::string>& names) {
  const UniqueFd dir = open_directory(directory);
  for (const std::string& name : names) real_fs().unlink(dir.get(), name);
}

}  // namespace popsync::state
