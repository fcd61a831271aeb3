// SPDX-License-Identifier: MIT
// What CAPA announced (RFC 2449), and one habit that a server shows by itself. Case-blind, unknown capabilities are ignored. A server without CAPA
// has announced nothing, which says nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace popsync::pop3 {

struct Capabilities {
  bool announced = false;  // CAPA was answered with a list that names something
  bool user = false;
  bool top = false;
  bool uidl = false;
  bool pipelining = false;
  bool stls = false;
  bool sasl_plain = false;                          // of SASL: the one mechanism that we know; of others nothing is kept
  std::optional<std::chrono::seconds> login_delay;  // LOGIN-DELAY n
  std::optional<std::chrono::days> expire;          // EXPIRE n; NEVER is empty
  std::string implementation;                       // foreign
  // Never announced, but seen: it answers -ERR to LIST or UIDL of an empty maildrop (protocol.md 54).
  bool refuses_empty = false;
  bool operator==(const Capabilities&) const = default;

  // Reads one line of the list.
  void add(std::string_view line);

  // For keeping them until the next session: all but the implementation's name, one a line. from_text(to_text()) gives them back.
  [[nodiscard]] std::string to_text() const;
  static Capabilities from_text(std::string_view text);
};

}  // namespace popsync::pop3
