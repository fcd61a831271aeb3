// SPDX-License-Identifier: MIT
// Messages become entries of an mbox and are found in it again, each as it came, whatever stands in them and however they come in pieces.
// Input: segment sizes, then up to four messages, each ended by a NUL octet (the last one by the end).
#include "delivery/mbox_format.h"

#include <string>
#include <vector>

#include "fuzz/harness.h"

namespace popsync::fuzz {
namespace {

using delivery::MboxEntry;

struct Written {
  std::string message;
  std::string entry;
  std::string marker;
};

std::string format(std::string_view message, const std::string& marker, const std::vector<std::size_t>& sizes) {
  std::string entry;
  delivery::MboxEntryFormatter formatter(marker, from_unix_seconds(1'700'000'000));
  for_each_segment(message, sizes, [&](std::string_view segment) { formatter.convert(segment, entry); });
  formatter.finish(entry);
  return entry;
}

// As any reader of mboxrd does it.
std::string unquoted(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n') == std::string_view::npos ? text.size() : text.find('\n') + 1);
    text.remove_prefix(line.size());
    const auto behind = line.find_first_not_of('>');
    claim(!line.starts_with("From "), "no line of a message looks like the start of an entry");
    if (behind != std::string_view::npos && behind > 0 && line.substr(behind).starts_with("From ")) line.remove_prefix(1);
    out += line;
  }
  return out;
}

void check_entry(const Written& written) {
  const auto from_end = written.entry.find('\n') + 1;
  const auto marker_end = written.entry.find('\n', from_end) + 1;
  claim(written.entry.starts_with("From "), "an entry begins with its From_ line");
  claim(std::string_view(written.entry).substr(from_end, marker_end - from_end) == std::string(delivery::kMarkerField) + written.marker + "\n",
        "the marker stands in the second line");
  std::string expected = written.message;
  if (!expected.empty() && !expected.ends_with('\n')) expected += '\n';
  expected += '\n';
  claim(unquoted(std::string_view(written.entry).substr(marker_end)) == expected, "the message can be had back from its entry");
}

std::vector<MboxEntry> scan(std::string_view mbox, const std::vector<std::size_t>& sizes) {
  std::vector<MboxEntry> found;
  delivery::MboxScanner scanner([&](const MboxEntry& entry) { found.push_back(entry); });
  for_each_segment(mbox, sizes, [&](std::string_view segment) { scanner.update(segment); });
  scanner.finish();
  return found;
}

void check_scan(std::string_view mbox, const std::vector<Written>& all, const std::vector<std::size_t>& sizes) {
  const std::vector<MboxEntry> found = scan(mbox, sizes);
  claim(found.size() == all.size(), "each entry is found, and nothing else");
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    claim(found[i].offset == offset && found[i].length == all[i].entry.size(), "an entry is found where it stands");
    claim(found[i].marker == all[i].marker, "an entry is known by its marker");
    claim(found[i].print == scan(all[i].entry, {}).front().print, "an entry is known by its content, wherever it stands");
    offset += all[i].entry.size();
  }
}

// An mbox that somebody else wrote: whatever it holds, its entries do not overlap.
void check_foreign(std::string_view mbox, const std::vector<std::size_t>& sizes) {
  std::uint64_t end = 0;
  for (const MboxEntry& entry : scan(mbox, sizes)) {
    claim(entry.offset >= end && entry.length >= 5 && entry.offset + entry.length <= mbox.size(), "entries stand one behind the other");
    claim(mbox.substr(entry.offset).starts_with("From "), "an entry begins with a From_ line");
    end = entry.offset + entry.length;
  }
}

}  // namespace

void mbox_format(std::string_view octets) {
  constexpr std::size_t kMessages = 4;
  Input input(octets);
  const std::vector<std::size_t> sizes = take_segment_sizes(input);
  const Input behind_sizes = input;
  std::vector<Written> all;
  std::string mbox;
  do {
    const std::string_view message = all.size() + 1 == kMessages ? input.rest() : input.until('\0');
    const std::string marker = "marker-" + std::to_string(all.size());
    all.push_back({.message = std::string(message), .entry = format(message, marker, {}), .marker = marker});
    claim(format(message, marker, sizes) == all.back().entry, "segments make no difference");
    check_entry(all.back());
    mbox += all.back().entry;
  } while (!input.empty());
  check_scan(mbox, all, {});
  check_scan(mbox, all, sizes);
  check_foreign(Input(behind_sizes).rest(), sizes);
}

}  // namespace popsync::fuzz
