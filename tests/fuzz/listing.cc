// SPDX-License-Identifier: MIT
// STAT, LIST, UIDL, CAPA and status lines: whatever they hold, what is made of them keeps its promises.
// Input: lines; the first letter says what a line is: u of UIDL, l of LIST, s text of STAT, c of CAPA, r a status line, t a unique-id as text.
#include "pop3/listing.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "fuzz/harness.h"
#include "pop3/capabilities.h"
#include "pop3/reply.h"

namespace popsync::fuzz {
namespace {

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

void check_unique_id(const pop3::UniqueId& uid) {
  claim(!uid.octets.empty() && uid.octets.size() <= pop3::kUniqueIdOctetsMax, "a unique-id is within its limits");
  claim(!uid.octets.ends_with(' ') && !uid.octets.ends_with('\r'), "blanks behind a unique-id do not belong to it");
  for (const std::size_t occurrence : {1U, 2U, 12U}) {
    const std::string text = to_text(uid, occurrence);
    claim(printable(text), "a unique-id as text is printable");
    const auto parsed = pop3::parse_unique_id_text(text);
    claim(parsed && parsed->uid == uid && parsed->occurrence == occurrence, "a unique-id can be read back from its text");
  }
}

void check_unique_id_text(std::string_view text) {
  const auto parsed = pop3::parse_unique_id_text(text);
  if (!parsed) return;
  claim(parsed->occurrence >= 1, "occurrences count from 1");
  const auto again = pop3::parse_unique_id_text(to_text(parsed->uid, parsed->occurrence));
  claim(again && again->uid == parsed->uid && again->occurrence == parsed->occurrence, "what was read from text can be written and read again");
}

void check_status_line(std::string_view line) {
  for (const bool lenient : {false, true}) {
    const auto status = pop3::parse_status_line(line, lenient, true);
    if (!status) continue;
    claim(line.find(status->text) != std::string_view::npos, "the text stands in the line");
    for (const auto step : {pop3::RefusedStep::greeting, pop3::RefusedStep::login, pop3::RefusedStep::other}) {
      claim(classify_refusal(*status, step) != ErrorCode::bug, "a refusal is nobody's bug");
    }
    claim(std::ranges::none_of(quoted(*status), [](unsigned char c) { return c < ' ' || c == 0x7f; }), "a quoted line is one printable line");
  }
}

void check_capability(std::string_view line) {
  pop3::Capabilities capabilities;
  capabilities.add(line);
  claim(line.find(capabilities.implementation) != std::string_view::npos, "the implementation is a part of its line");
  pop3::Capabilities again = capabilities;
  again.add(line);
  claim(again == capabilities, "a line told twice says nothing more");
}

void check_entries(const std::vector<pop3::ListingEntry>& entries, bool with_unique_ids) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    claim(entries[i].number.value > 0, "message-numbers count from 1");
    claim(i == 0 || entries[i - 1].number < entries[i].number, "entries stand in the order of their numbers, each once");
    claim(entries[i].uid.octets.empty() != with_unique_ids, "entries have a unique-id if the server has");
  }
}

class Reader {
 public:
  void read(std::string_view line) {
    const std::string_view text = line.substr(std::min<std::size_t>(1, line.size()));
    switch (line.empty() ? ' ' : line.front()) {
      case 'u':
        if (const auto parsed = pop3::parse_unique_id_line(text)) check_unique_id(parsed->uid);
        builder_.add_unique_id_line(text);
        ++lines_;
        break;
      case 'l':
        builder_.add_scan_line(text);
        ++lines_;
        break;
      case 's':
        if (const auto drop = pop3::parse_drop_listing(text)) claim(drop->count <= pop3::kMessagesMax, "a count is within its limit");
        break;
      case 'c': check_capability(text); break;
      case 'r': check_status_line(text); break;
      case 't': check_unique_id_text(text); break;
      default: break;
    }
  }

  void finish() {
    for (const bool with_unique_ids : {true, false}) {
      pop3::ListingBuilder builder = builder_;
      try {
        const auto entries = builder.finish(with_unique_ids);
        check_entries(entries, with_unique_ids);
        claim(entries.size() + builder.unusable_lines() <= lines_, "no message is made up");
      } catch (const Error& error) {
        claim(error.code() == ErrorCode::not_pop3, "the only Error is that of a message listed twice");
      }
    }
  }

 private:
  pop3::ListingBuilder builder_;
  std::size_t lines_ = 0;
};

}  // namespace

void listing(std::string_view octets) {
  Input input(octets);
  Reader reader;
  while (!input.empty()) {
    const std::string_view line = input.until('\n');
    reader.read(std::string(line));
  }
  reader.finish();
}

}  // namespace popsync::fuzz
