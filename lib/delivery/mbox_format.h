// SPDX-License-Identifier: MIT
// One message as an entry of an mbox, and entries found again. Pure: octets in, octets out, in pieces of any size, with memory that does not depend
// on the message or its lines. The form is mboxrd:
//   From SENDER Www Mmm dd hh:mm:ss yyyy     the sender of the Return-Path field, else MAILER-DAEMON; the time is UTC
//   X-Popsync-Id: MARKER                     by which recovery knows the entry again, wherever a reader has moved it
//   the message, each line of its header and body that matches ^>*From(space) with one > more
//   an empty line
// A message without an LF at its end gets one; nothing else is added or taken away. Undone by removing one > from each line that matches
// ^>+From(space).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "delivery/message_prints.h"

namespace popsync::delivery {

constexpr std::string_view kMarkerField = "X-Popsync-Id: ";
constexpr std::size_t kMarkerOctetsMax = 64;
constexpr std::size_t kReturnPathWithin = 64UL * 1024;  // octets of the header in which Return-Path is looked for; servers put it first

class MboxEntryFormatter {
 public:
  // `marker` has no octet but printable ASCII, at most kMarkerOctetsMax.
  MboxEntryFormatter(std::string marker, WallTime received);
  // Octets of the message, line ends LF; appends to `out`.
  void convert(std::string_view in, std::string& out);
  // The message is whole. Nothing may follow.
  void finish(std::string& out);

 private:
  void seek_sender();
  void begin_entry(std::string_view sender, std::string& out);
  void quote(std::string_view in, std::string& out);

  std::string marker_;
  WallTime received_;
  bool begun_ = false;         // the From_ line is written
  std::string header_;         // until then: what has come
  std::size_t line_ = 0;       // in header_: where the first line starts that was not looked at
  std::string sender_;         // what the Return-Path field says
  bool sender_known_ = false;  // or known to be unknowable
  bool line_start_ = true;     // only > has come in this line
  std::size_t matched_ = 0;    // octets of "From " behind it that are held back
  char last_ = '\n';
};

// An entry in an mbox, whoever wrote it.
struct MboxEntry {
  std::uint64_t offset = 0;  // of its From_ line
  std::uint64_t length = 0;
  std::string marker;  // empty if it has none
  std::string print;   // the fingerprint (message_prints.h) of what follows the From_ line, without the newlines at the end of the body
};

// Reads an mbox from its start and calls `found` for each entry. Every line that begins with "From " begins an entry: ours have no other, and what
// other programs write is only passed over.
class MboxScanner {
 public:
  explicit MboxScanner(std::function<void(const MboxEntry&)> found);
  void update(std::string_view octets);
  // The end of the file ends the last entry.
  void finish();

 private:
  enum class Place { outside, from_line, header, body };

  void take(std::string_view part);
  void take_header(std::string_view part);
  void take_body(std::string_view part);
  void end_header_line();
  void begin_entry(std::uint64_t offset);
  void end_entry(std::uint64_t end);

  std::function<void(const MboxEntry&)> found_;
  std::uint64_t position_ = 0;
  Place place_ = Place::outside;
  bool line_start_ = true;
  std::size_t matched_ = 0;  // octets of "From " at the start of this line
  std::string line_;         // the first octets of a header line
  MboxEntry entry_;
  MessagePrinter printer_;
  std::uint64_t newlines_ = 0;  // at the end of the body so far, not in the print yet
};

}  // namespace popsync::delivery
