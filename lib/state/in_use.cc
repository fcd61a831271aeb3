// SPDX-License-Identifier: MIT
#include "state/in_use.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "base/error.h"
#include "base/escape.h"
#include "base/fs.h"
#include "state/file_lock.h"

namespace popsync::state {
namespace {

constexpr std::chrono::milliseconds kShareAgainEvery{20};

// A length of 0 reaches to the end, wherever that is.
struct flock range(short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

struct flock own_octet(short type) {
  return range(type, ::getpid(), 1);
}

std::string name_of(const LockHolder& holder) { return escaped(holder.command) + ", pid " + std::to_string(holder.pid) + " (an older version)"; }

}  // namespace

InUse::InUse(const std::string& directory) : directory_(directory), path_(directory + "/in-use"), fd_(open_lock_file(path_)) {}

bool InUse::set(struct flock lock) const { return set_lock(fd_.get(), lock, path_); }

InUse InUse::share(const std::string& directory, std::chrono::milliseconds patience) {
  InUse in_use(directory);
  for (std::chrono::milliseconds waited{0};; waited += kShareAgainEvery) {
    if (in_use.set(own_octet(F_RDLCK))) return in_use;
    if (waited >= patience) break;
    std::this_thread::sleep_for(kShareAgainEvery);
  }
  const auto holder = lock_holder(in_use.path_);
  throw Error(ErrorCode::lock_held, "the tables of state.db are being changed" + (holder ? ", they are " + describe(*holder) : ""), "try again");
}

std::optional<std::string> InUse::try_alone(bool holds_daemon_lock) {
  set(range(F_UNLCK, 0, 0));
  if (set(range(F_WRLCK, 0, 0))) {
    write_holder(fd_.get(), "popsync");
    auto other = older_program(holds_daemon_lock);
    if (other) set(range(F_UNLCK, 0, 0));
    return other;
  }
  struct flock other = range(F_WRLCK, 0, 0);
  if (::fcntl(fd_.get(), F_OFD_GETLK, &other) == 0 && other.l_type == F_RDLCK) return "another popsync, pid " + std::to_string(other.l_start);
  return "another popsync";  // alone itself, or gone since
}

void InUse::share_again() {
  const off_t own = ::getpid();
  set(own_octet(F_RDLCK));
  set(range(F_UNLCK, 0, own));
  set(range(F_UNLCK, own + 1, 0));
}

// Whoever holds one of these locks while nobody shares the file is a popsync that does not know it.
std::optional<std::string> InUse::older_program(bool holds_daemon_lock) const {
  if (!holds_daemon_lock) {
    if (const auto daemon = lock_holder(directory_ + "/daemon.lock")) return name_of(*daemon);
  }
  const auto locks = real_fs().open_root(directory_ + "/locks");
  if (!locks) return std::nullopt;
  for (const std::string& name : real_fs().list(locks->get())) {
    if (const auto holder = lock_holder(directory_ + "/locks/" + name)) return name_of(*holder);
  }
  return std::nullopt;
}

}  // namespace popsync::state
