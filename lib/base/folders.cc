// SPDX-License-Identifier: MIT
#include "base/folders.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/mount_table.h"

namespace popsync {
namespace {

UniqueFd open_made(std::optional<UniqueFd> folder, const std::string& name) {
  if (!folder) throw Error(ErrorCode::mailstore_unavailable, "cannot open the folder " + escaped(name) + ", which was just made");
  return std::move(*folder);
}

// Adds what it makes to `made`, the deepest first.
UniqueFd open_or_make(Fs& fs, const std::string& path, std::vector<std::string>& made) {
  if (auto found = fs.open_root(path)) return std::move(*found);
  const UniqueFd parent = open_or_make(fs, folder_of(path), made);
  if (fs.make_directory(parent.get(), last_part(path))) made.insert(made.begin(), path);
  return open_made(fs.open_root(path), path);
}

// Its name could not be synced, and another sync of the same name would prove nothing: the next attempt makes it anew.
void take_back(Fs& fs, int parent, const std::string& name) {
  try {
    fs.remove_directory(parent, name);
  } catch (const Error& error) {
    log_debug("", error.what());
  }
}

void take_back(Fs& fs, const std::vector<std::string>& made) {
  for (const std::string& path : made) {
    if (const auto parent = fs.open_root(folder_of(path))) take_back(fs, parent->get(), last_part(path));
  }
}

// False where we may not look, or on a file system that cannot be written: there we have not made anything.
bool sync_if_ours(Fs& fs, const std::string& path) {
  try {
    const auto folder = fs.open_root(path);
    if (folder) fs.sync_directory(folder->get());
    return folder.has_value();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::mailstore_unavailable) throw;
    return false;
  }
}

// Symbolic links are followed on the disk of `dir` and on that of the root alone.
bool lies_elsewhere(int dir, const std::string& path) {
  const MountTable mounts = MountTable::now();
  const std::string here = mounts.disk_of(dir);
  if (here.empty()) return false;
  const std::string root = mounts.disk_at("/");
  const std::string real = without_links(path, [&](const std::string& part, const std::string&) {
    const std::string disk = mounts.disk_at(part);
    return disk == here || disk == root;
  });
  return mounts.disk_at(real) != here;
}

}  // namespace

std::string folder_of(std::string_view path) {
  const auto slash = path.find_last_of('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.find_last_of('/') + 1)); }

UniqueFd make_path(Fs& fs, const std::string& path) {
  std::vector<std::string> made;
  UniqueFd folder = open_or_make(fs, path, made);
  try {
    for (std::string below = path; below != "/" && sync_if_ours(fs, folder_of(below));) below = folder_of(below);
  } catch (const Error&) {
    take_back(fs, made);
    throw;
  }
  return folder;
}

UniqueFd make_folder(Fs& fs, int parent, const std::string& name) {
  const bool made = fs.make_directory(parent, name);
  try {
    fs.sync_directory(parent);
  } catch (const Error&) {
    if (made) take_back(fs, parent, name);
    throw;
  }
  return open_made(fs.open_directory(parent, name), name);
}

bool same_device(Fs& fs, int dir, const std::string& path) {
  if (lies_elsewhere(dir, path)) return false;
  const auto other = fs.open_root(path);
  if (!other) return false;
  const auto there = fs.stat(other->get(), ".");
  const auto here = fs.stat(dir, ".");
  return there && here && there->device == here->device;
}

}  // namespace popsync
