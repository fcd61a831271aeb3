// SPDX-License-Identifier: MIT
#include "lost_state_look.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/mount_table.h"
#include "base/watched_fs.h"
#include "state/install.h"

namespace popsync {
namespace {

using Mailstores = std::vector<sync::ConfiguredMailstore>;

// Owned by every thread that looks, some of which may never come back.
struct Look {
  std::string state_dir;
  std::vector<Mailstores> disks;
  std::mutex mutex;  // guards all below
  std::condition_variable changed;
  std::size_t next = 0;
  std::size_t done = 0;
  std::vector<bool> answered;
  std::string key;
  std::optional<Error> error;

  void work() {
    std::unique_lock lock(mutex);
    while (next < disks.size()) {
      const std::size_t mine = next++;
      lock.unlock();
      std::string found;
      std::optional<Error> trouble;
      try {
        found = sync::lost_install_key(real_fs(), state_dir, disks[mine]);
      } catch (const Error& failure) {
        trouble = failure;
      }
      lock.lock();
      if (key.empty()) key = found;
      if (!error) error = trouble;
      answered[mine] = true;
      ++done;
      changed.notify_all();
    }
  }
};

std::vector<Mailstores> by_disk(Mailstores mailstores) {
  const MountTable mounts = MountTable::now();
  std::map<std::string, Mailstores> disks;
  for (sync::ConfiguredMailstore& each : mailstores) {
    if (!each.path.empty()) disks[mounts.disk_at(each.path)].push_back(std::move(each));
  }
  std::vector<Mailstores> all;
  for (auto& [disk, its] : disks) all.push_back(std::move(its));
  return all;
}

}  // namespace

std::string look_for_lost_state(const std::string& state_dir, Mailstores mailstores) {
  if (!state::is_unused(state_dir)) return {};
  const auto look = std::make_shared<Look>();
  look->state_dir = state_dir;
  look->disks = by_disk(std::move(mailstores));
  look->answered.resize(look->disks.size());
  for (std::size_t i = 0; i < std::min(look->disks.size(), kLookThreadsMax); ++i) {
    try {
      std::thread([look] { look->work(); }).detach();
    } catch (const std::system_error& error) {
      if (i == 0)
        throw Error(ErrorCode::io_error, std::string("cannot start a thread: ") + error.what(), "raise TasksMax= or the limit on processes");
    }
  }
  std::unique_lock lock(look->mutex);
  look->changed.wait_for(lock, kHangsAfter, [&] { return look->done == look->disks.size() || look->error; });
  if (look->error) throw Error(*look->error);
  for (std::size_t i = 0; i < look->disks.size() && look->key.empty(); ++i) {
    if (look->answered[i]) continue;
    log_warning("", "the file system of " + escaped(look->disks[i].front().path) + " does not answer; whether a lost state filled it is not known");
  }
  return look->key;
}

}  // namespace popsync
