// SPDX-License-Identifier: MIT
// The three prints of a message, taken in one pass over the octets that are stored (line ends are LF already):
//   sha256       of every octet: is the staged file whole?
//   fingerprint  without the header fields that readers and servers rewrite (Status, X-Status, X-UID, X-UIDL, X-Keywords, Content-Length, X-IMAP*):
//                is this the message that was stored under this unique-id?
//   header hash  of Message-ID, Date, From, To and Subject as they stand: is it the same message, changed on the way?
// Memory does not depend on the message: a field is recognised by its first octets and hashed as it passes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace popsync::delivery {

struct Prints {
  std::uint64_t stored_size = 0;  // octets
  std::string sha256;             // 32 octets each
  std::string fingerprint;
  std::string header_hash;
  bool has_message_id = false;
};

class MessagePrinter {
 public:
  void update(std::string_view octets);
  [[nodiscard]] Prints finish();

 private:
  enum class Place { field_name, field, body };
  enum class Field { ordinary, identifying, volatile_field };

  void take_header(std::string_view& octets);
  void take_field(std::string_view& octets);
  void begin_field();
  void hash(std::string_view octets);

  std::uint64_t size_ = 0;
  Sha256 whole_;
  std::optional<Sha256> lasting_;  // forked from whole_ at the first volatile field: most messages have none and are hashed once
  Sha256 header_;
  bool has_message_id_ = false;
  Place place_ = Place::field_name;
  Field field_ = Field::ordinary;
  std::string name_;  // the first octets of a header line until it is clear which field it is
};

Prints prints_of(std::string_view message);

}  // namespace popsync::delivery
