// SPDX-License-Identifier: MIT
#include "daemon_status.h"

#include <csignal>

#include "base/error.h"

namespace popsync {
namespace {

std::string lock_path(const std::string& state_dir) { return state_dir + "/daemon.lock"; }

}  // namespace

std::optional<state::LockHolder> running_daemon(const std::string& state_dir) { return state::lock_holder(lock_path(state_dir)); }

state::FileLock become_daemon(const std::string& state_dir) {
  if (auto lock = state::FileLock::try_take(lock_path(state_dir), "popsync run")) return std::move(*lock);
  const auto holder = running_daemon(state_dir);
  throw Error(ErrorCode::lock_held, holder ? "the state is " + state::describe(*holder) : "another popsync runs on this state",
              "one daemon serves all accounts; `popsync status` shows it");
}

void tell_daemon(const std::string& state_dir) {
  // The lock proves that the process is alive and ours; refused permission (another user's daemon) costs nothing but the hint.
  if (const auto daemon = running_daemon(state_dir); daemon && daemon->pid > 0) ::kill(daemon->pid, SIGUSR2);
}

}  // namespace popsync
