// SPDX-License-Identifier: MIT
// The two names a message has on the server. They are distinct types because confusing them is the classic POP3 bug: a
// message-number is valid in one session only, a unique-id persists (and is not quite unique: docs/durability.md).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace popsync::pop3 {

// RFC 1939 section 3. Never 0.
struct MessageNumber {
  std::uint32_t value = 0;
  auto operator<=>(const MessageNumber&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 trips over <=>
};

// RFC 1939 section 7. Arbitrary octets without line ends; compared octet by octet, stored as a BLOB, never a path.
struct UniqueId {
  std::string octets;
  auto operator<=>(const UniqueId&) const = default;  // NOLINT(modernize-use-nullptr)
};

// The form in tables, logs, JSON and arguments: octets 0x21-0x7e except % and # as they are, every other as %XX; the k-th (k >= 2) of
// equal unique-ids is UID#k.
std::string to_text(const UniqueId& uid, std::size_t occurrence = 1);

struct UniqueIdText {
  UniqueId uid;
  std::size_t occurrence = 1;
};
// The reverse of to_text; empty if the text is not of that form.
std::optional<UniqueIdText> parse_unique_id_text(std::string_view text);

// A maildrop's drop listing (STAT).
struct DropListing {
  std::uint64_t count = 0;
  std::optional<std::uint64_t> octets;  // empty: the server's size was no number (it is advisory)
};

// One message of the maildrop as UIDL and LIST tell it.
struct ListingEntry {
  MessageNumber number;
  UniqueId uid;                            // empty on a server without UIDL
  std::optional<std::uint64_t> list_size;  // what LIST said: a hint (RFC 1939 section 11 is often broken); empty if it said nothing usable
  bool operator==(const ListingEntry&) const = default;
};

}  // namespace popsync::pop3

template <>
struct std::hash<popsync::pop3::UniqueId> {
  std::size_t operator()(const popsync::pop3::UniqueId& uid) const noexcept { return std::hash<std::string>{}(uid.octets); }
};
