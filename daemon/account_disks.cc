// SPDX-License-Identifier: MIT
#include "account_disks.h"

#include <utility>

#include "base/escape.h"
#include "base/folders.h"
#include "base/format.h"

namespace popsync {
namespace {

constexpr std::chrono::seconds kMountsKept{1};  // ten thousand accounts may be asked about at once

}  // namespace

Error does_not_answer(const std::string& path, WallTime since) {
  return {ErrorCode::disk_hangs, "the file system of " + escaped(path) + " does not answer since " + rfc3339_utc(since),
          "is it a network mount whose server is gone (findmnt --target)? popsync goes on by itself when it answers"};
}

AccountDisks::AccountDisks(std::string state_dir, std::function<void()> on_late_answer)
    : state_dir_(std::move(state_dir)), on_late_answer_(std::move(on_late_answer)) {}

WatchedFs& AccountDisks::of(const std::string& account, const sync::MailstoreTarget& mailstore) {
  const std::lock_guard lock(mutex_);
  Files& files = files_[account];
  files.home = mailstore.kind == state::MailstoreKind::mbox ? folder_of(mailstore.path) : mailstore.path;
  if (!files.fs) files.fs = std::make_unique<WatchedFs>(real_fs(), system_clock(), on_late_answer_);
  return *files.fs;
}

schedule::DiskWatch AccountDisks::watch() {
  return {.waits_since =
              [this](const std::string& account) {
                const WatchedFs* fs = find(account);
                return fs == nullptr ? std::nullopt : fs->waits_since();
              },
          .waits_at = [this](const std::string& account) { return waits_at(account); },
          .home_of = [this](const std::string& account) { return home_of(account); }};
}

WatchedFs* AccountDisks::find(const std::string& account) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(account);
  return found == files_.end() ? nullptr : found->second.fs.get();
}

// A descriptor that is being closed no longer tells its mount; then it is that of the mailstore.
DiskPlace AccountDisks::waits_at(const std::string& account) {
  const WatchedFs* fs = find(account);
  DiskPlace place = fs == nullptr ? DiskPlace() : fs->waits_at();
  if (!place.disk.empty()) return place;
  DiskPlace home = home_of(account);
  if (!place.path.empty()) home.path = std::move(place.path);
  return home;
}

// Symbolic links are followed here only on the disks that this process cannot do without: to look at any other might hang.
DiskPlace AccountDisks::home_of(const std::string& account) {
  const std::shared_ptr<const MountTable> table = mounts();
  std::string home;
  std::string known;
  {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(account);
    if (found == files_.end()) return {};
    home = found->second.home;
    known = found->second.fs->known_path(home);
  }
  const std::string root = table->disk_at("/");
  const std::string state = table->disk_at(state_dir_);
  bool sure = true;
  const std::string path = without_links(known, [&](const std::string& part, const std::string&) {
    const std::string disk = table->disk_at(part);
    const bool may_look = disk == root || disk == state;
    sure = sure && may_look;
    return may_look;
  });
  return {.disk = table->disk_at(path), .path = home, .sure = sure};
}

std::shared_ptr<const MountTable> AccountDisks::mounts() {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = system_clock().steady();
  if (!mounts_ || now - mounts_read_ >= kMountsKept) {
    mounts_ = std::make_shared<const MountTable>(MountTable::now());
    mounts_read_ = now;
  }
  return mounts_;
}

}  // namespace popsync
