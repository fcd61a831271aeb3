// SPDX-License-Identifier: MIT
#include "state/account_lock.h"

#include <poll.h>

#include "base/error.h"

namespace popsync::state {
namespace {

constexpr std::chrono::milliseconds kRetryEvery{100};

std::string lock_path(const std::string& state_dir, const std::string& account_id) { return state_dir + "/locks/" + account_id; }

}  // namespace

FileLock lock_account(const std::string& state_dir, const std::string& account_id, const std::string& command, std::chrono::milliseconds wait,
                      const StopSignal& stop) {
  const std::string path = lock_path(state_dir, account_id);
  for (std::chrono::milliseconds waited{0};; waited += kRetryEvery) {
    if (auto lock = FileLock::try_take(path, command)) return std::move(*lock);
    if (waited >= wait) {
      const auto holder = lock_holder(path);
      throw Error(ErrorCode::lock_held, holder ? "the account is " + describe(*holder) : "the account is held by another popsync",
                  "wait for it to end, or ask for more patience with --wait");
    }
    pollfd wake{.fd = stop.fd(), .events = POLLIN, .revents = 0};
    ::poll(&wake, 1, static_cast<int>(kRetryEvery.count()));
    if (stop.stopped()) throw Error(ErrorCode::interrupted, "stopped while waiting for the account's lock");
  }
}

std::optional<LockHolder> account_holder(const std::string& state_dir, const std::string& account_id) {
  return lock_holder(lock_path(state_dir, account_id));
}

}  // namespace popsync::state
