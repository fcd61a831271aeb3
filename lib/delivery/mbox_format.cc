// SPDX-License-Identifier: MIT
#include "delivery/mbox_format.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/error.h"

namespace popsync::delivery {
namespace {

constexpr std::string_view kFrom = "From ";
constexpr std::string_view kReturnPath = "return-path:";
constexpr std::string_view kNoSender = "MAILER-DAEMON";
constexpr std::size_t kSenderOctetsMax = 320;  // 64 + @ + 255: RFC 5321 section 4.5.3.1

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool begins_with_field(std::string_view line, std::string_view lower_name) {
  return line.size() >= lower_name.size() && std::ranges::equal(line.substr(0, lower_name.size()), lower_name, {}, lower);
}

// The address, if it is plain enough to stand in a From_ line: readers take the line apart at its spaces.
std::string sender_in(std::string_view field) {
  const auto open = field.find('<');
  const auto close = field.find('>');
  const bool bracketed = open != std::string_view::npos && close != std::string_view::npos && open < close;
  const std::string_view sender = bracketed ? field.substr(open + 1, close - open - 1) : std::string_view();
  const bool plain = std::ranges::all_of(sender, [](char c) { return c > ' ' && c <= '~'; });
  return plain && !sender.empty() && sender.size() <= kSenderOctetsMax ? std::string(sender) : std::string(kNoSender);
}

// As asctime() writes it, whatever the locale.
std::string asctime_utc(WallTime time) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{} {} {:2} {:02}:{:02}:{:02} {}", kDays.at(static_cast<std::size_t>(parts.tm_wday)),
                     kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     1900 + parts.tm_year);
}

}  // namespace

MboxEntryFormatter::MboxEntryFormatter(std::string marker, WallTime received) : marker_(std::move(marker)), received_(received) {
  POPSYNC_ASSERT(marker_.size() <= kMarkerOctetsMax && std::ranges::all_of(marker_, [](char c) { return c > ' ' && c <= '~'; }));
}

void MboxEntryFormatter::convert(std::string_view in, std::string& out) {
  if (in.empty()) return;
  last_ = in.back();
  if (begun_) {
    quote(in, out);
    return;
  }
  header_ += in;
  seek_sender();
  if (sender_known_) begin_entry(sender_, out);
}

void MboxEntryFormatter::finish(std::string& out) {
  if (!begun_) {
    const std::string_view rest = std::string_view(header_).substr(line_);
    begin_entry(begins_with_field(rest, kReturnPath) ? sender_in(rest) : kNoSender, out);
  }
  out += kFrom.substr(0, matched_);
  if (last_ != '\n') out += '\n';
  out += '\n';
}

// Line by line, so that the pieces in which the message comes make no difference.
void MboxEntryFormatter::seek_sender() {
  const std::string_view within = std::string_view(header_).substr(0, kReturnPathWithin);
  for (auto end = within.find('\n', line_); end != std::string_view::npos; end = within.find('\n', line_)) {
    const std::string_view line = within.substr(line_, end - line_);
    line_ = end + 1;
    if (line.empty()) break;
    if (begins_with_field(line, kReturnPath)) {
      sender_ = sender_in(line);
      sender_known_ = true;
      return;
    }
  }
  const bool header_ended = line_ > 0 && (line_ == 1 || header_[line_ - 2] == '\n');
  if (header_ended || header_.size() >= kReturnPathWithin) {
    sender_ = kNoSender;
    sender_known_ = true;
  }
}

void MboxEntryFormatter::begin_entry(std::string_view sender, std::string& out) {
  begun_ = true;
  out += fmt::format("{}{} {}\n{}{}\n", kFrom, sender, asctime_utc(received_), kMarkerField, marker_);
  quote(std::exchange(header_, {}), out);
}

void MboxEntryFormatter::quote(std::string_view in, std::string& out) {
  while (!in.empty()) {
    if (!line_start_) {
      const auto end = in.find('\n');
      const std::string_view part = in.substr(0, end == std::string_view::npos ? end : end + 1);
      out += part;
      in.remove_prefix(part.size());
      line_start_ = end != std::string_view::npos;
    } else if (matched_ == 0 && in.front() == '>') {  // one > more before or after these gives the same line
      out += '>';
      in.remove_prefix(1);
    } else if (in.front() == kFrom[matched_]) {
      in.remove_prefix(1);
      if (++matched_ < kFrom.size()) continue;
      out += '>';
      out += kFrom;
      matched_ = 0;
      line_start_ = false;
    } else {
      out += kFrom.substr(0, matched_);
      matched_ = 0;
      line_start_ = false;
    }
  }
}

MboxScanner::MboxScanner(std::function<void(const MboxEntry&)> found) : found_(std::move(found)) {}

void MboxScanner::update(std::string_view octets) {
  while (!octets.empty()) {
    if (line_start_) {
      if (octets.front() != kFrom[matched_]) {
        line_start_ = false;
        take(kFrom.substr(0, std::exchange(matched_, 0)));
        continue;
      }
      octets.remove_prefix(1);
      ++position_;
      if (++matched_ < kFrom.size()) continue;
      end_entry(position_ - kFrom.size());
      begin_entry(position_ - kFrom.size());
      continue;
    }
    const auto end = octets.find('\n');
    const std::string_view part = octets.substr(0, end == std::string_view::npos ? end : end + 1);
    take(part);
    octets.remove_prefix(part.size());
    position_ += part.size();
    line_start_ = end != std::string_view::npos;
  }
}

void MboxScanner::finish() {
  take(kFrom.substr(0, std::exchange(matched_, 0)));
  end_entry(position_);
}

// A part of a line, with its newline if it is the last part.
void MboxScanner::take(std::string_view part) {
  const bool line_ends = part.ends_with('\n');
  switch (place_) {
    case Place::outside: break;
    case Place::from_line:
      if (line_ends) place_ = Place::header;
      break;
    case Place::header: take_header(part); break;
    case Place::body: take_body(part); break;
  }
}

void MboxScanner::take_header(std::string_view part) {
  constexpr std::size_t kKeptOctets = kMarkerField.size() + kMarkerOctetsMax + 1;
  printer_.update(part);
  const bool line_ends = part.ends_with('\n');
  line_ += part.substr(0, part.size() - (line_ends ? 1 : 0)).substr(0, kKeptOctets - std::min(line_.size(), kKeptOctets));
  if (line_ends) end_header_line();
}

void MboxScanner::end_header_line() {
  if (line_.empty()) place_ = Place::body;
  if (entry_.marker.empty() && line_.starts_with(kMarkerField)) entry_.marker = line_.substr(kMarkerField.size());
  line_.clear();
}

void MboxScanner::take_body(std::string_view part) {
  const auto last = part.find_last_not_of('\n');
  if (last == std::string_view::npos) {
    newlines_ += part.size();
    return;
  }
  for (; newlines_ > 0; --newlines_) printer_.update("\n");
  printer_.update(part.substr(0, last + 1));
  newlines_ = part.size() - last - 1;
}

void MboxScanner::begin_entry(std::uint64_t offset) {
  entry_ = {.offset = offset, .length = 0, .marker = {}, .print = {}};
  printer_ = MessagePrinter();
  newlines_ = 0;
  line_.clear();
  matched_ = 0;
  line_start_ = false;
  place_ = Place::from_line;
}

void MboxScanner::end_entry(std::uint64_t end) {
  if (place_ == Place::outside) return;
  entry_.length = end - entry_.offset;
  entry_.print = printer_.finish().fingerprint;
  place_ = Place::outside;
  found_(entry_);
}

}  // namespace popsync::delivery
