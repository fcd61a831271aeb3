// SPDX-License-Identifier: MIT
// tmp/.popsync/id in a Maildir: says which mailstore this is and which popsync state fills it. An unmounted disk shows an empty mount point without
// this file, and must never look like an empty Maildir; a second state that fetched into the same Maildir would double every message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::delivery {

constexpr std::size_t kIdFileOctetsMax = 1U << 20U;

struct MailstoreId {
  struct Account {
    std::string id;
    std::string user;
    std::string host;
    std::uint16_t port = 0;  // 0: as popsync 0.1.0 wrote it
    bool operator==(const Account&) const = default;
  };
  std::string id;           // 32 hex digits, random
  std::string install_key;  // 32 octets: names the state that fills it
  std::vector<Account> accounts;
};

std::string format_mailstore_id(const MailstoreId& id);
// Empty if the text is not of the form.
std::optional<MailstoreId> parse_mailstore_id(std::string_view text);

}  // namespace popsync::delivery
