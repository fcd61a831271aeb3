// SPDX-License-Identifier: MIT
// Finds out, after a crash or a failed session, what has become of entries whose place was committed and whose writing was not: whole in the mbox
// (where they were written, or wherever a reader has moved them), or to be appended. A tail that only our own torn write can have left is cut off;
// nothing else is ever removed, because other programs write into the same file. May be interrupted anywhere and run again.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "delivery/mbox.h"

namespace popsync::delivery {

// The offset of an entry that was to be written into an mbox which is gone: in this one it can only be found by its marker.
constexpr std::uint64_t kNoPlace = std::numeric_limits<std::int64_t>::max();

// As committed before it was written.
struct PendingEntry {
  std::string name;  // its marker, and its file in staging
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // padding included
  std::string sha256;
};

enum class EntryFate {
  appended,  // whole in the mbox; durable once the file is synced
  absent,    // to be appended
  altered,   // an entry with its marker is not whole: left alone, and to be appended
  lost,      // not in its place, and its staged file is gone or damaged: to be fetched again
};

// One fate for each entry, in their order. `entries` are in the order of their offsets.
std::vector<EntryFate> settle(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries);

// Of settle() only the cutting, for entries of somebody else: before another appends, or what is torn could never be cut off any more.
void cut_torn_end(Fs& fs, LockedMbox& mbox, StagingFolder& staging, const std::vector<PendingEntry>& entries);

}  // namespace popsync::delivery
