// SPDX-License-Identifier: MIT
// What a server must prove before it is trusted with a credential (docs/security.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace popsync::net {

enum class TlsMode { implicit, starttls, none };  // implicit TLS (RFC 8314), STLS (RFC 2595), cleartext
enum class TlsTrust { ca, pin, ca_and_pin };
enum class TlsVersion { v1_2, v1_3 };

struct TlsPolicy {
  TlsMode mode = TlsMode::implicit;
  TlsTrust trust = TlsTrust::ca;
  std::string ca_file = {};                   // empty: the system's authorities; else only those in this PEM file
  std::vector<std::string> pins_sha256 = {};  // SHA-256 of the SubjectPublicKeyInfo, 32 raw octets each
  TlsVersion version_min = TlsVersion::v1_2;
  bool operator==(const TlsPolicy&) const = default;
};

struct Endpoint {
  std::string host;  // name or IP literal, as configured
  std::uint16_t port = 995;
  bool operator==(const Endpoint&) const = default;
};

}  // namespace popsync::net
