// SPDX-License-Identifier: MIT
#include "secrets/secret_rules.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace popsync::secrets {
namespace {

// A container's runtime put it there for this container alone, and nobody in it can change it.
bool given_to_container(const FileAccess& file, const Reader& reader) {
  return reader.surroundings == Surroundings::container && file.owner == 0 && file.in_memory && file.read_only;
}

bool group_is_ours(const FileAccess& file, const Reader& reader) {
  if (file.group == reader.group) return true;
  return file.owner != reader.user && std::ranges::find(reader.more_groups, file.group) != reader.more_groups.end();
}

std::optional<std::string> who_else(const FileAccess& file, const Reader& reader) {
  const unsigned mode = file.mode & 07777U;
  if (file.owner != reader.user && file.owner != 0)
    return fmt::format("it belongs to user {}, neither to us ({}) nor to root", file.owner, reader.user);
  if ((mode & 07U) != 0) return fmt::format("others have access to it (mode {:04o})", mode);
  if ((mode & 070U) != 0 && !group_is_ours(file, reader))
    return fmt::format("group {} has access to it (mode {:04o}), which is not our own", file.group, mode);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> fault_of_login_word(std::string_view octets) {
  if (octets.empty()) return "is empty";
  if (octets.find_first_of("\r\n") != std::string_view::npos) return "contains a line end";
  if (octets.find('\0') != std::string_view::npos) return "contains a NUL octet";
  if (octets.front() == ' ') return "begins with a space";
  return std::nullopt;
}

std::optional<Exposure> exposure_of(const FileAccess& file, const Reader& reader) {
  if (given_to_container(file, reader)) return std::nullopt;
  auto what = who_else(file, reader);
  if (!what) return std::nullopt;
  // What is read-only in a unit is so for the unit alone.
  const bool foreign_in_container = reader.surroundings == Surroundings::container && file.owner != reader.user;
  return Exposure{.what = std::move(*what), .set_elsewhere = foreign_in_container || (file.read_only && reader.surroundings != Surroundings::unit)};
}

}  // namespace popsync::secrets
