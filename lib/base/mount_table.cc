// SPDX-License-Identifier: MIT
#include "base/mount_table.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <fstream>
#include <optional>
#include <sstream>

namespace popsync {
namespace {

constexpr int kLinksMax = 40;  // as many as the kernel follows

// Blanks and backslashes stand there as three octal digits.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned octet = 0;
    const bool escape = text[i] == '\\' && i + 3 < text.size() &&
                        std::from_chars(text.data() + i + 1, text.data() + i + 4, octet, 8).ptr == text.data() + i + 4 && octet <= UCHAR_MAX;
    out += escape ? static_cast<char>(octet) : text[i];
    if (escape) i += 3;
  }
  return out;
}

// `path` is `folder` or below it.
bool lies_in(std::string_view path, std::string_view folder) {
  return folder == "/" || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

std::optional<std::string> link_at(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length <= 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(length));
}

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

MountTable::MountTable(std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Mount mount;
    std::string root;
    std::string point;
    if (!(words >> mount.id >> mount.parent >> mount.disk >> root >> point) || !point.starts_with('/')) continue;
    mount.point = unescaped(point);
    mounts_.push_back(std::move(mount));
  }
}

MountTable MountTable::now() { return MountTable(text_of("/proc/self/mountinfo")); }

// From the root on, mount by mount: one that lies below another that was mounted over it later is not seen by any path.
std::string MountTable::disk_at(std::string_view path) const {
  const Mount* at = nullptr;
  while (const Mount* next = mounted_on(at, path)) at = next;
  return at == nullptr ? std::string() : at->disk;
}

// The first mount on the way to `path` that stands on `below`; a null one is the outside of our root.
const MountTable::Mount* MountTable::mounted_on(const Mount* below, std::string_view path) const {
  const Mount* first = nullptr;
  for (const Mount& mount : mounts_) {
    if (!lies_in(path, mount.point)) continue;
    const bool stands_there = below != nullptr ? mount.parent == below->id && mount.id != below->id
                                               : mount.parent == mount.id || std::ranges::count(mounts_, mount.parent, &Mount::id) == 0;
    if (stands_there && (first == nullptr || mount.point.size() < first->point.size())) first = &mount;
  }
  return first;
}

std::string MountTable::disk_of(int fd) const {
  std::istringstream lines(text_of("/proc/self/fdinfo/" + std::to_string(fd)));
  std::string name;
  std::uint64_t id = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (!(words >> name >> id) || name != "mnt_id:") continue;
    const auto mount = std::ranges::find(mounts_, id, &Mount::id);
    return mount == mounts_.end() ? std::string() : mount->disk;
  }
  return {};
}

std::string without_links(const std::string& path, const std::function<bool(const std::string& part, const std::string& whole)>& may_look) {
  std::string done;  // without links; empty is the root
  std::string rest = path;
  for (int links = 0; !rest.empty();) {
    const auto begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) break;
    const auto end = std::min(rest.find('/', begin), rest.size());
    const std::string name = rest.substr(begin, end - begin);
    rest = rest.substr(end);
    if (name == ".") continue;
    if (name == "..") {
      done = done.substr(0, std::min(done.rfind('/'), done.size()));
      continue;
    }
    std::string part = done;
    part += '/';
    part += name;
    if (links == kLinksMax || !may_look(part, part + rest)) return part + rest;
    const auto target = link_at(part);
    if (!target) {
      done = part;
    } else {
      ++links;
      rest.insert(0, *target);
      if (target->starts_with('/')) done.clear();
    }
  }
  return done.empty() ? "/" : done;
}

}  // namespace popsync
