// SPDX-License-Identifier: MIT
#include "secrets/secret_rules.h"

#include <spdlog/fmt/fmt.h>

namespace popsync::secrets {

std::optional<std::string> fault_of_login_word(std::string_view octets) {
  if (octets.empty()) return "is empty";
  if (octets.find_first_of("\r\n") != std::string_view::npos) return "contains a line end";
  if (octets.find('\0') != std::string_view::npos) return "contains a NUL octet";
  if (octets.front() == ' ') return "begins with a space";
  return std::nullopt;
}

std::optional<std::string> exposure_of(const struct stat& status, uid_t our_user, gid_t our_group) {
  const unsigned mode = status.st_mode & 07777U;
  if (status.st_uid != our_user && status.st_uid != 0)
    return fmt::format("it belongs to user {}, neither to us ({}) nor to root", status.st_uid, our_user);
  if ((mode & 07U) != 0) return fmt::format("others have access to it (mode {:04o})", mode);
  if ((mode & 070U) != 0 && status.st_gid != our_group)
    return fmt::format("group {} has access to it (mode {:04o}), which is not our own", status.st_gid, mode);
  return std::nullopt;
}

}  // namespace popsync::secrets
