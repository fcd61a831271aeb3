// SPDX-License-Identifier: MIT
#include "delivery/mbox_settling.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace popsync::delivery {
namespace {

bool whole_in_place(LockedMbox& mbox, const PendingEntry& entry) { return mbox.sha256_of(entry.offset, entry.length) == entry.sha256; }

// From `first` on each entry is in staging and begins where the one before ends: they were written as one.
bool written_as_one(const std::vector<PendingEntry>& entries, std::size_t first) {
  for (std::size_t i = first; i < entries.size(); ++i) {
    if (!entries[i].staged) return false;
    if (i > first && entries[i].offset != entries[i - 1].offset + entries[i - 1].length) return false;
  }
  return true;
}

// The padding is what the entry is longer than its staged file.
std::optional<std::string> padding_of(Fs& fs, StagingFolder& staging, const PendingEntry& entry) {
  const auto staged = fs.stat(staging.dir(), entry.name);
  if (!staged || staged->size > entry.length || entry.length - staged->size > kPaddingOctetsMax) return std::nullopt;
  return std::string(static_cast<std::size_t>(entry.length - staged->size), '\n');
}

void cut_torn_tail(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries, std::size_t first) {
  if (!written_as_one(entries, first)) return;
  const auto padding = padding_of(fs, staging, entries[first]);
  if (!padding) return;
  std::vector<std::string> names;
  for (std::size_t i = first; i < entries.size(); ++i) names.push_back(entries[i].name);
  if (mbox.ends_torn_in(entries[first].offset, *padding, names)) mbox.cut(entries[first].offset);
}

using Bodies = std::unordered_map<std::string, std::vector<std::string>>;  // by marker; two where a reader was killed while it rewrote the file

std::optional<std::string> staged_body(Fs& fs, StagingFolder& staging, const std::string& name) {
  const auto file = fs.open(staging.dir(), name);
  if (!file) return std::nullopt;
  std::optional<std::string> body;
  MboxScanner scanner([&](const MboxEntry& entry) { body = entry.body_sha256; });
  constexpr std::size_t kPieceOctets = 256UL * 1024;
  for (std::string part = fs.read(file->get(), kPieceOctets); !part.empty(); part = fs.read(file->get(), kPieceOctets)) scanner.update(part);
  scanner.finish();
  return body;
}

EntryFate fate_by_marker(Fs& fs, StagingFolder& staging, const PendingEntry& entry, const Bodies& found) {
  const std::vector<std::string>& there = found.at(entry.name);
  if (there.empty()) return EntryFate::absent;
  if (!entry.staged) return EntryFate::appended;  // nothing to compare with
  const auto body = staged_body(fs, staging, entry.name);
  return body && std::ranges::count(there, *body) > 0 ? EntryFate::appended : EntryFate::altered;
}

}  // namespace

std::vector<EntryFate> settle(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries) {
  std::vector<EntryFate> fates(entries.size(), EntryFate::absent);
  std::size_t first = 0;
  while (first < entries.size() && whole_in_place(mbox, entries[first])) fates[first++] = EntryFate::appended;
  if (first == entries.size()) return fates;
  cut_torn_tail(fs, mbox, staging, entries, first);
  // The rest is looked for, first in its place, then by its marker in the whole file, also where the file just ends: a reader may have moved an entry
  // and removed as many octets as it has.
  Bodies bodies;
  for (std::size_t i = first; i < entries.size(); ++i) bodies[entries[i].name];
  MboxScanner scanner([&](const MboxEntry& entry) {
    if (const auto wanted = bodies.find(entry.marker); wanted != bodies.end()) wanted->second.push_back(entry.body_sha256);
  });
  mbox.scan(scanner);
  for (std::size_t i = first; i < entries.size(); ++i) {
    fates[i] = whole_in_place(mbox, entries[i]) ? EntryFate::appended : fate_by_marker(fs, staging, entries[i], bodies);
  }
  return fates;
}

}  // namespace popsync::delivery
