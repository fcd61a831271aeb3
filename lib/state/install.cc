// SPDX-License-Identifier: MIT
#include "state/install.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/digest.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/folders.h"
#include "base/fs.h"
#include "base/makeable.h"
#include "base/random.h"
#include "state/file_lock.h"

namespace popsync::state {
namespace {

constexpr const char* kKeyFile = "install.key";
constexpr const char* kDatabaseFile = "state.db";
constexpr const char* kLogFile = "state.db-wal";

[[noreturn]] void unavailable(const Error& error) {
  throw Error(error.code() == ErrorCode::disk_full ? error.code() : ErrorCode::state_unavailable, "state directory: " + error.message(),
              error.hint());
}

// The key comes after the folders on the way to it were made durable.
UniqueFd open_or_make(Fs& fs, const std::string& path) {
  if (auto found = fs.open_root(path); found && fs.stat(found->get(), kKeyFile)) return std::move(*found);
  return make_path(fs, path);
}

void check_owner(Fs& fs, int dir, const std::string& path) {
  constexpr std::uint32_t kOthersMayWrite = 0022;
  const auto found = fs.stat(dir, ".");
  if (found && found->owner != ::geteuid()) {
    throw Error(ErrorCode::state_unavailable,
                "the state directory " + escaped(path) + " belongs to user " + std::to_string(found->owner) + ", not to us (" +
                    std::to_string(::geteuid()) + ")",
                "run popsync as that user, or name another directory with --state-dir");
  }
  if (found && (found->mode & kOthersMayWrite) != 0) {
    throw Error(ErrorCode::state_unavailable, "others may write to the state directory " + escaped(path), "chmod 700 it");
  }
}

std::optional<std::string> read_key(Fs& fs, int dir) {
  auto key = read_small_file(fs, dir, kKeyFile, kSha256Octets);
  if (key && key->size() != kSha256Octets) {
    throw Error(ErrorCode::state_corrupt, "install.key in the state directory is damaged", "put the state directory back from a backup");
  }
  return key;
}

// SQLite would read the log of a database that is gone into the new one, which is another: rows would come and go.
[[noreturn]] void refuse_log_alone(const std::string& path) {
  throw Error(ErrorCode::state_corrupt, "state.db is gone from " + escaped(path) + ", and its log state.db-wal is still there; nothing was changed",
              "put state.db back from where it went; or remove state.db-wal too, to begin without what they knew");
}

// SQLite takes a file of no octets for a new database, and everything would be fetched again. One that popsync begins has its tables from the start.
void refuse_damaged(Fs& fs, int dir, const std::string& path) {
  // The log first: another popsync that begins the state at this moment makes it after the database.
  const auto log = fs.stat(dir, kLogFile);
  const auto database = fs.stat(dir, kDatabaseFile);
  if (!database) {
    if (log && log->size > 0) refuse_log_alone(path);
    return;
  }
  if (::faccessat(dir, kDatabaseFile, R_OK | W_OK, AT_EACCESS) != 0) {
    throw Error(ErrorCode::state_unavailable, "cannot read and write state.db in " + escaped(path) + ": " + errno_text(errno),
                "look at the owner and the permissions of the state directory");
  }
  if (database->size > 0) return;
  throw Error(
      ErrorCode::state_corrupt, "state.db in " + escaped(path) + " has lost its content; nothing was changed",
      "stop popsync and put the state directory back from a backup; without one, remove state.db and state.db-wal: what is in the Maildirs is "
      "then recognised");
}

}  // namespace

void refuse_unusable(const std::string& state_dir) {
  Fs& fs = real_fs();
  try {
    if (const auto dir = fs.open_root(state_dir)) {
      check_owner(fs, dir->get(), state_dir);
      refuse_damaged(fs, dir->get(), state_dir);
    }
    need_makeable(state_dir);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::mailstore_unavailable) unavailable(error);
    throw;
  }
}

std::string prepare_install(const std::string& state_dir, const std::string& lost_key) {
  Fs& fs = real_fs();
  try {
    const UniqueFd dir = open_or_make(fs, state_dir);
    check_owner(fs, dir.get(), state_dir);
    refuse_damaged(fs, dir.get(), state_dir);
    if (fs.make_directory(dir.get(), "locks")) fs.sync_directory(dir.get());
    // Two that start at once on a new directory must not make two keys.
    const FileLock lock = FileLock::take(state_dir + "/lock");
    if (auto key = read_key(fs, dir.get())) return *key;
    // A mailstore knows the key of a lost state; a database without its key would look like another installation.
    if (fs.stat(dir.get(), kDatabaseFile)) {
      throw Error(ErrorCode::state_corrupt, "the state directory holds a database but no install.key", "put install.key back from a backup");
    }
    const std::string key = lost_key.size() == kSha256Octets ? lost_key : random_octets(kSha256Octets);
    replace_file(fs, dir.get(), kKeyFile, key);
    return *read_key(fs, dir.get());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::mailstore_unavailable || error.code() == ErrorCode::disk_full) unavailable(error);
    throw;
  }
}

std::optional<UniqueFd> open_state_directory(const std::string& state_dir) {
  try {
    return real_fs().open_root(state_dir);
  } catch (const Error& error) {
    unavailable(error);
  }
}

bool is_unused(const std::string& state_dir) {
  const auto dir = open_state_directory(state_dir);
  return !dir || (!real_fs().stat(dir->get(), kKeyFile) && !real_fs().stat(dir->get(), kDatabaseFile));
}

std::optional<std::string> read_install_key(const std::string& state_dir) {
  const auto dir = open_state_directory(state_dir);
  try {
    return dir ? read_key(real_fs(), dir->get()) : std::nullopt;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::mailstore_unavailable) unavailable(error);
    throw;
  }
}

}  // namespace popsync::state
