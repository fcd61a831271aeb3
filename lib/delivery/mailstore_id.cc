// SPDX-License-Identifier: MIT
#include "delivery/mailstore_id.h"

#include <algorithm>
#include <sstream>

#include "base/digest.h"
#include "base/random.h"

namespace popsync::delivery {
namespace {

constexpr std::string_view kFirstLine = "popsync mailstore 1";

std::optional<std::string> from_hex(std::string_view text) {
  const auto value = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  if (text.size() % 2 != 0 || std::ranges::any_of(text, [&](char c) { return value(c) < 0; })) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) out += static_cast<char>(value(text[i]) * 16 + value(text[i + 1]));
  return out;
}

}  // namespace

// User and host stand as hexadecimal: they may hold blanks. popsync 0.1.0 does not look at what follows them.
std::string format_mailstore_id(const MailstoreId& id) {
  std::string out = std::string(kFirstLine) + "\nid " + id.id + "\nkey " + to_hex(id.install_key) + "\n";
  for (const MailstoreId::Account& account : id.accounts) {
    out += "account " + account.id + " " + to_hex(account.user) + " " + to_hex(account.host) +
           (account.port == 0 ? "" : " " + std::to_string(account.port)) + "\n";
  }
  return out;
}

std::optional<MailstoreId> parse_mailstore_id(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  if (!std::getline(lines, line) || line != kFirstLine) return std::nullopt;
  MailstoreId out;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string tag;
    std::string first;
    std::string user;
    std::string host;
    std::uint16_t port = 0;
    words >> tag >> first >> user >> host >> port;  // stays 0 where no number follows
    const auto octets = from_hex(tag == "key" ? first : user);
    const auto host_octets = from_hex(host);
    if (!octets || !host_octets) return std::nullopt;
    if (tag == "id") out.id = first;
    if (tag == "key") out.install_key = *octets;
    if (tag == "account" && (octets->empty() || host_octets->empty())) return std::nullopt;
    if (tag == "account") out.accounts.push_back({.id = first, .user = *octets, .host = *host_octets, .port = port});
  }
  if (out.id.empty() || out.install_key.size() != kSha256Octets) return std::nullopt;
  return out;
}

}  // namespace popsync::delivery
