// SPDX-License-Identifier: MIT
// STAT, LIST and UIDL as servers really answer them: extra blanks, gaps, any order, sizes that are no sizes. What cannot be used is left out with a
// warning; what makes the session untrustworthy (one message-number twice, too many messages) is an Error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pop3/types.h"

namespace popsync::pop3 {

constexpr std::size_t kUniqueIdOctetsMax = 1024;  // RFC 1939 says 70; real servers exceed it; longer ones are not kept
constexpr std::size_t kMessagesMax = 1'000'000;   // in one maildrop; bounds the memory of a listing
// Of all unique-ids of one listing: as many messages as we take, each with the longest unique-id of RFC 1939. Beyond it a server fills memory and
// state.
constexpr std::size_t kListingUniqueIdOctetsMax = 70 * kMessagesMax;

// The text behind +OK of STAT: "count octets". Empty if the count is no number.
std::optional<DropListing> parse_drop_listing(std::string_view text);

struct ScanLine {
  MessageNumber number;
  std::optional<std::uint64_t> size;
};
// A line of LIST, or the text behind +OK of LIST n.
std::optional<ScanLine> parse_scan_line(std::string_view line);

struct UniqueIdLine {
  MessageNumber number;
  UniqueId uid;
};
// A line of UIDL, or the text behind +OK of UIDL n. Empty without a number, without a unique-id or with one over the limit.
std::optional<UniqueIdLine> parse_unique_id_line(std::string_view line);

// The maildrop put together from UIDL (or, on a server without it, from LIST alone) line by line.
class ListingBuilder {
 public:
  // Throws Error not_pop3: a number twice, over kMessagesMax lines, or over kListingUniqueIdOctetsMax octets.
  void add_unique_id_line(std::string_view line);
  void add_scan_line(std::string_view line);
  // Entries in the order of their numbers. With unique-ids: the messages that have one; without: those of LIST.
  [[nodiscard]] std::vector<ListingEntry> finish(bool with_unique_ids);
  // Lines that had to be left out; 0 on a sane server.
  [[nodiscard]] std::size_t unusable_lines() const { return unusable_; }

 private:
  std::vector<UniqueIdLine> uids_;
  std::size_t uid_octets_ = 0;
  std::vector<ScanLine> sizes_;
  std::size_t unusable_ = 0;
};

}  // namespace popsync::pop3
