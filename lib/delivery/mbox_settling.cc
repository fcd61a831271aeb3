// SPDX-License-Identifier: MIT
#include "delivery/mbox_settling.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace popsync::delivery {
namespace {

// Behind octets that end no line (zeros where another entry was torn) its From_ line is none, and readers see no message.
bool whole_in_place(LockedMbox& mbox, const PendingEntry& entry) {
  return entry.offset != kNoPlace && mbox.is_at_line(entry.offset) && mbox.sha256_of(entry.offset, entry.length) == entry.sha256;
}

std::size_t first_not_in_place(LockedMbox& mbox, const std::vector<PendingEntry>& entries) {
  std::size_t first = 0;
  while (first < entries.size() && whole_in_place(mbox, entries[first])) ++first;
  return first;
}

// An entry that stands ready in staging. What it is longer than its file is the padding before it.
struct Ready {
  std::string padding;
};

std::optional<Ready> ready_in_staging(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const PendingEntry& entry) {
  const auto staged = fs.stat(staging.dir(), entry.name);
  if (!staged || staged->size > entry.length || entry.length - staged->size > kPaddingOctetsMax) return std::nullopt;
  const std::string padding(static_cast<std::size_t>(entry.length - staged->size), '\n');
  if (mbox.print_of_staged(padding, entry.name).sha256 != entry.sha256) return std::nullopt;
  return Ready{padding};
}

using Readiness = std::vector<std::optional<Ready>>;

Readiness readiness_of(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries) {
  Readiness ready;
  for (const PendingEntry& entry : entries) ready.push_back(ready_in_staging(fs, mbox, staging, entry));
  return ready;
}

// From `first` on each entry is in staging and begins where the one before ends: they were written as one.
bool written_as_one(const std::vector<PendingEntry>& entries, const Readiness& ready, std::size_t first) {
  for (std::size_t i = first; i < entries.size(); ++i) {
    if (!ready[i]) return false;
    if (i > first && (entries[i].offset != entries[i - 1].offset + entries[i - 1].length || !ready[i]->padding.empty())) return false;
  }
  return true;
}

// What has no place was not written here.
void cut_torn_tail(LockedMbox& mbox, std::vector<PendingEntry> entries, const Readiness& ready, std::size_t first) {
  std::erase_if(entries, [](const PendingEntry& entry) { return entry.offset == kNoPlace; });
  if (first >= entries.size()) return;
  if (!written_as_one(entries, ready, first)) return;
  std::vector<std::string> names;
  for (std::size_t i = first; i < entries.size(); ++i) names.push_back(entries[i].name);
  if (mbox.ends_torn_in(entries[first].offset, ready[first]->padding, names)) mbox.cut(entries[first].offset);
}

using MarkedPrints =
    std::unordered_map<std::string, std::vector<std::string>>;  // by marker; several where a reader was killed while it rewrote the file

std::optional<std::string> staged_print(Fs& fs, StagingFolder& staging, const std::string& name) {
  const auto file = fs.open(staging.dir(), name);
  if (!file) return std::nullopt;
  std::optional<std::string> print;
  MboxScanner scanner([&](const MboxEntry& entry) { print = entry.print; });
  constexpr std::size_t kPieceOctets = 256UL * 1024;
  for (std::string part = fs.read(file->get(), kPieceOctets); !part.empty(); part = fs.read(file->get(), kPieceOctets)) scanner.update(part);
  scanner.finish();
  return print;
}

EntryFate fate_by_marker(Fs& fs, StagingFolder& staging, const PendingEntry& entry, bool ready, const std::vector<std::string>& prints) {
  // Without its file nothing proves that what carries its marker is whole.
  if (!ready) return EntryFate::lost;
  if (prints.empty()) return EntryFate::absent;
  const auto print = staged_print(fs, staging, entry.name);
  return print && std::ranges::count(prints, *print) > 0 ? EntryFate::appended : EntryFate::altered;
}

}  // namespace

std::vector<EntryFate> settle(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries) {
  std::vector<EntryFate> fates(entries.size(), EntryFate::appended);
  const std::size_t first = first_not_in_place(mbox, entries);
  if (first == entries.size()) return fates;
  const Readiness ready = readiness_of(fs, mbox, staging, entries);
  cut_torn_tail(mbox, entries, ready, first);
  // The rest is looked for, first in its place, then by its marker in the whole file, also where the file just ends: a reader may have moved an entry
  // and removed as many octets as it has.
  MarkedPrints prints;
  for (std::size_t i = first; i < entries.size(); ++i) prints[entries[i].name];
  MboxScanner scanner([&](const MboxEntry& entry) {
    if (const auto wanted = prints.find(entry.marker); wanted != prints.end()) wanted->second.push_back(entry.print);
  });
  mbox.scan(scanner);
  for (std::size_t i = first; i < entries.size(); ++i) {
    if (whole_in_place(mbox, entries[i])) continue;
    fates[i] = fate_by_marker(fs, staging, entries[i], ready[i].has_value(), prints.at(entries[i].name));
  }
  return fates;
}

void cut_torn_end(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries) {
  const std::size_t first = first_not_in_place(mbox, entries);
  if (first < entries.size()) cut_torn_tail(mbox, entries, readiness_of(fs, mbox, staging, entries), first);
}

}  // namespace popsync::delivery
