// SPDX-License-Identifier: MIT
#include "delivery/folders.h"

#include <utility>

#include "base/error.h"
#include "base/escape.h"

namespace popsync::delivery {

std::string folder_of(std::string_view path) {
  const auto slash = path.find_last_of('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.find_last_of('/') + 1)); }

UniqueFd make_path(Fs& fs, const std::string& path) {
  if (auto found = fs.open_root(path)) return std::move(*found);
  UniqueFd parent = make_path(fs, folder_of(path));
  fs.make_directory(parent.get(), last_part(path));
  fs.sync_directory(parent.get());
  auto made = fs.open_root(path);
  if (!made) throw Error(ErrorCode::mailstore_unavailable, "cannot open " + escaped(path) + ", which was just made");
  return std::move(*made);
}

UniqueFd make_folder(Fs& fs, int parent, const std::string& name) {
  if (fs.make_directory(parent, name)) fs.sync_directory(parent);
  auto folder = fs.open_directory(parent, name);
  if (!folder) throw Error(ErrorCode::mailstore_unavailable, "cannot open the folder " + escaped(name) + ", which was just made");
  return std::move(*folder);
}

bool same_device(Fs& fs, int dir, const std::string& path) {
  const auto other = fs.open_root(path);
  if (!other) return false;
  const auto there = fs.stat(other->get(), ".");
  const auto here = fs.stat(dir, ".");
  return there && here && there->device == here->device;
}

}  // namespace popsync::delivery
