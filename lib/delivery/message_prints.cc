// SPDX-License-Identifier: MIT
#include "delivery/message_prints.h"

#include <algorithm>
#include <array>
#include <utility>

namespace popsync::delivery {
namespace {

constexpr std::size_t kNameOctetsMax = 24;  // no field that matters has a longer name
constexpr std::array<std::string_view, 6> kVolatile = {"status", "x-status", "x-uid", "x-uidl", "x-keywords", "content-length"};
constexpr std::array<std::string_view, 5> kIdentifying = {"message-id", "date", "from", "to", "subject"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

}  // namespace

void MessagePrinter::update(std::string_view octets) {
  size_ += octets.size();
  while (!octets.empty() && place_ != Place::body) take_header(octets);
  hash(octets);
}

Prints MessagePrinter::finish() {
  if (place_ == Place::field_name && !name_.empty()) begin_field();
  Prints out{.stored_size = size_, .sha256 = {}, .fingerprint = {}, .header_hash = header_.finish(), .has_message_id = has_message_id_};
  out.sha256 = whole_.finish();
  out.fingerprint = lasting_ ? lasting_->finish() : out.sha256;
  return out;
}

void MessagePrinter::take_header(std::string_view& octets) {
  if (place_ == Place::field) {
    take_field(octets);
    return;
  }
  const char next = octets.front();
  if (name_.empty() && (next == ' ' || next == '\t')) {  // a continuation line belongs to the field above
    place_ = Place::field;
    return;
  }
  name_ += next;
  octets.remove_prefix(1);
  if (next == '\n') {
    const bool header_ends = name_ == "\n" || name_ == "\r\n";
    begin_field();
    place_ = header_ends ? Place::body : Place::field_name;
  } else if (next == ':' || name_.size() >= kNameOctetsMax) {
    begin_field();
    place_ = Place::field;
  }
}

// The rest of a header line, its line end included.
void MessagePrinter::take_field(std::string_view& octets) {
  const auto end = octets.find('\n');
  const std::string_view part = octets.substr(0, end == std::string_view::npos ? end : end + 1);
  hash(part);
  octets.remove_prefix(part.size());
  if (end != std::string_view::npos) place_ = Place::field_name;
}

void MessagePrinter::begin_field() {
  std::string name = lower(std::string_view(name_).substr(0, name_.find(':')));
  name.erase(name.find_last_not_of(" \t") + 1);
  const bool colon = name_.ends_with(':');
  field_ = Field::ordinary;
  if (colon && (std::ranges::count(kVolatile, name) > 0 || name.starts_with("x-imap"))) {
    if (!lasting_) lasting_ = whole_.fork();
    field_ = Field::volatile_field;
  } else if (colon && std::ranges::count(kIdentifying, name) > 0) {
    field_ = Field::identifying;
    has_message_id_ = has_message_id_ || name == "message-id";
  }
  hash(std::exchange(name_, {}));
}

void MessagePrinter::hash(std::string_view octets) {
  if (octets.empty()) return;
  whole_.update(octets);
  const bool in_body = place_ == Place::body;
  if (lasting_ && (in_body || field_ != Field::volatile_field)) lasting_->update(octets);
  if (!in_body && field_ == Field::identifying) header_.update(octets);
}

Prints prints_of(std::string_view message) {
  MessagePrinter printer;
  printer.update(message);
  return printer.finish();
}

}  // namespace popsync::delivery
