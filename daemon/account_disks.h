// SPDX-License-Identifier: MIT
// The files of every account of this process, watched, and what the schedule asks about the disks they lie on.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/mount_table.h"
#include "base/watched_fs.h"
#include "schedule/disk_gate.h"
#include "sync/account_settings.h"

namespace popsync {

// An account whose disk does not answer: what its report, and `status`, say.
Error does_not_answer(const std::string& path, WallTime since);

class AccountDisks {
 public:
  // `state_dir` lies on a disk that this process needs in any case. `on_late_answer`: see WatchedFs.
  explicit AccountDisks(std::string state_dir, std::function<void()> on_late_answer = {});

  // The account's files, from now on with its mailstore there; theirs as long as this object.
  WatchedFs& of(const std::string& account, const sync::MailstoreTarget& mailstore);
  // For a scheduler. Thread-safe, as all of this.
  [[nodiscard]] schedule::DiskWatch watch();

 private:
  struct Files {
    std::unique_ptr<WatchedFs> fs;
    std::string home;  // the folder that the mailstore is, or lies in
  };
  [[nodiscard]] WatchedFs* find(const std::string& account);
  [[nodiscard]] DiskPlace waits_at(const std::string& account);
  [[nodiscard]] DiskPlace home_of(const std::string& account);
  [[nodiscard]] std::shared_ptr<const MountTable> mounts();

  const std::string state_dir_;
  const std::function<void()> on_late_answer_;
  std::mutex mutex_;  // guards all below
  std::map<std::string, Files> files_;
  std::shared_ptr<const MountTable> mounts_;
  SteadyTime mounts_read_;
};

}  // namespace popsync
