// SPDX-License-Identifier: MIT
#include "sync/free_space.h"

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"

namespace popsync::sync {

void FreeSpace::need(OpenMailstore* mailstore, std::uint64_t octets) {
  if (floor_ == 0) return;  // the operator wants the last octet used
  unseen_ = 0;
  if (mailstore != nullptr) compare(mailstore->free_octets(), octets, mailstore->row.path);
  if (const auto state = fs_.open_root(state_dir_)) compare(fs_.free_octets(state->get()), 0, state_dir_);
}

void FreeSpace::expect(OpenMailstore& mailstore, std::uint64_t octets) {
  unseen_ += octets;
  if (unseen_ >= kLookEveryOctets) need(&mailstore, octets);
}

void FreeSpace::compare(std::uint64_t free, std::uint64_t octets, const std::string& path) const {
  if (free >= floor_ && free - floor_ >= octets) return;
  throw Error(ErrorCode::disk_full,
              "the disk of " + escaped(path) + " is full: " + human_octets(free) + " are left, " + human_octets(octets) + " are wanted and " +
                  human_octets(floor_) + " stay free (min_free_space)",
              "free some space, or lower min_free_space; popsync goes on by itself");
}

}  // namespace popsync::sync
