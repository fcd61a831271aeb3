// SPDX-License-Identifier: MIT
#include "config/host_name.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "base/escape.h"

namespace popsync::config {
namespace {

constexpr std::size_t kHostOctetsMax = 253;  // RFC 1035 section 2.3.4, without the dot at the end
constexpr std::size_t kLabelOctetsMax = 63;

bool is_address(int family, std::string_view host) {
  in6_addr address{};
  return ::inet_pton(family, std::string(host).c_str(), &address) == 1;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Octets over 0x7F are left to the conversion of international names.
bool in_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || static_cast<unsigned char>(c) > 0x7F;
}

bool has_bad_label(std::string_view host) {
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    if (label.empty() || label.size() > kLabelOctetsMax || label.front() == '-' || label.back() == '-') return true;
    if (dot == std::string_view::npos) return false;
    host.remove_prefix(dot + 1);
  }
}

// Apple serves iCloud mail by IMAP alone; nothing listens on the POP3 ports, which looks like a broken network.
bool is_icloud(std::string_view host) {
  const std::string name = lower_case(host);
  constexpr std::array<std::string_view, 3> kDomains = {"icloud.com", "me.com", "mac.com"};
  return std::ranges::any_of(kDomains, [&](std::string_view domain) { return name == domain || name.ends_with("." + std::string(domain)); });
}

}  // namespace

std::optional<std::string> fault_of_host(std::string_view host) {
  if (host.empty()) return "is empty, expected a name or an IP address";
  if (is_address(AF_INET, host) || is_address(AF_INET6, host)) return std::nullopt;
  const std::string shown = "\"" + escaped(host) + "\"";
  if (host.find("://") != std::string_view::npos) return shown + " is a URL, expected a name alone; TLS and port have keys of their own: tls, port";
  if (host.find_first_of(" \t\r\n") != std::string_view::npos) return shown + " contains a blank, expected a name or an IP address";
  if (host.starts_with('[')) return shown + " has brackets, expected the IP address without them; the port has a key of its own: port";
  if (host.find('@') != std::string_view::npos) return shown + " is a mail address, expected the server's name; the user has a key of its own: user";
  if (const auto zone = host.find('%'); zone != std::string_view::npos && is_address(AF_INET6, host.substr(0, zone))) {
    return shown + " has a zone (" + escaped(host.substr(zone)) +
           "), which only this machine knows; expected another address of the server, or a name";
  }
  if (const auto colon = host.find(':'); colon != std::string_view::npos && std::ranges::all_of(host.substr(colon + 1), is_digit)) {
    return shown + " contains a port, expected a name alone; write port = " + escaped(host.substr(colon + 1)) + " beside it";
  }
  if (host.ends_with('.')) return shown + " ends with a dot, expected the name without it: certificates have none";
  if (!std::ranges::all_of(host, in_name) || host.size() > kHostOctetsMax || has_bad_label(host)) return shown + " is no host name and no IP address";
  if (std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; }))
    return shown + " is no IP address, expected four numbers from 0 to 255";
  if (is_icloud(host)) return shown + " has no POP3: iCloud mail can be fetched by IMAP only, which popsync does not speak";
  return std::nullopt;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace popsync::config
