// SPDX-License-Identifier: MIT
#include "pop3/listing.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace popsync::pop3 {
namespace {

constexpr std::string_view kBlanks = " \t";

// Takes the first word and the run of blanks behind it.
std::string_view take_word(std::string_view& rest) {
  const auto end = std::min(rest.find_first_of(kBlanks), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  return word;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view word) {
  Number value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// The message-number in front; one server puts "+OK" before each line of a listing.
std::optional<MessageNumber> take_message_number(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  std::string_view word = take_word(rest);
  if (word == "+OK") word = take_word(rest);
  const auto number = parse_number<std::uint32_t>(word);
  if (!number || *number == 0) return std::nullopt;
  return MessageNumber{*number};
}

template <typename Line>
void sort_by_number(std::vector<Line>& lines, std::string_view command) {
  std::ranges::sort(lines, {}, &Line::number);
  const auto twice = std::ranges::adjacent_find(lines, {}, &Line::number);
  if (twice != lines.end()) {
    throw Error(ErrorCode::not_pop3,
                "the server listed message " + std::to_string(twice->number.value) + " twice in its answer to " + std::string(command));
  }
}

void check_count(std::size_t count) {
  if (count >= kMessagesMax) {
    throw Error(ErrorCode::not_pop3, "the server listed more than " + std::to_string(kMessagesMax) + " messages");
  }
}

}  // namespace

std::optional<DropListing> parse_drop_listing(std::string_view text) {
  const auto count = parse_number<std::uint64_t>(take_word(text));
  if (!count || *count > kMessagesMax) return std::nullopt;
  return DropListing{.count = *count, .octets = parse_number<std::uint64_t>(take_word(text))};
}

std::optional<ScanLine> parse_scan_line(std::string_view line) {
  const auto number = take_message_number(line);
  if (!number) return std::nullopt;
  return ScanLine{.number = *number, .size = parse_number<std::uint64_t>(take_word(line))};
}

std::optional<UniqueIdLine> parse_unique_id_line(std::string_view line) {
  const auto number = take_message_number(line);
  // Blanks inside a unique-id belong to it; those behind it do not. This rule must never change: stored unique-ids were made by it.
  const auto end = line.find_last_not_of(" \r");
  line = end == std::string_view::npos ? std::string_view() : line.substr(0, end + 1);
  if (!number || line.empty() || line.size() > kUniqueIdOctetsMax) return std::nullopt;
  return UniqueIdLine{.number = *number, .uid = UniqueId{std::string(line)}};
}

void ListingBuilder::add_unique_id_line(std::string_view line) {
  check_count(uids_.size() + unusable_);
  if (auto parsed = parse_unique_id_line(line)) {
    uid_octets_ += parsed->uid.octets.size();
    if (uid_octets_ > kListingUniqueIdOctetsMax) {
      throw Error(ErrorCode::not_pop3, "the server listed unique-ids of more than " + std::to_string(kListingUniqueIdOctetsMax) + " octets");
    }
    uids_.push_back(std::move(*parsed));
  } else {
    ++unusable_;
  }
}

void ListingBuilder::add_scan_line(std::string_view line) {
  check_count(sizes_.size() + unusable_);
  if (const auto parsed = parse_scan_line(line)) {
    sizes_.push_back(*parsed);
  } else {
    ++unusable_;
  }
}

std::vector<ListingEntry> ListingBuilder::finish(bool with_unique_ids) {
  sort_by_number(uids_, "UIDL");
  sort_by_number(sizes_, "LIST");
  std::vector<ListingEntry> entries;
  if (!with_unique_ids) {
    for (const ScanLine& line : sizes_) entries.push_back({.number = line.number, .uid = {}, .list_size = line.size});
    return entries;
  }
  entries.reserve(uids_.size());
  auto size = sizes_.cbegin();
  for (UniqueIdLine& line : uids_) {
    while (size != sizes_.cend() && size->number < line.number) ++size;
    const bool listed = size != sizes_.cend() && size->number == line.number;
    entries.push_back({.number = line.number, .uid = std::move(line.uid), .list_size = listed ? size->size : std::nullopt});
  }
  return entries;
}

}  // namespace popsync::pop3
