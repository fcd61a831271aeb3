// SPDX-License-Identifier: MIT
// A disk is never written full: the mail reader, the database and everybody else on it need some room too. Looked at before a server is asked for
// anything, and again while messages come. Throws Error disk_full: the session ends without QUIT, what is stored stays, and the account is tried
// again soon. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/fs.h"
#include "sync/mailstore_opening.h"

namespace popsync::sync {

constexpr std::uint64_t kLookEveryOctets = 1ULL << 20U;  // to ask costs a round trip on a network file system

class FreeSpace {
 public:
  // `floor` octets stay free on the disks of the mailstore and of the state. All must outlive it.
  FreeSpace(Fs& fs, std::string state_dir, std::uint64_t floor) : fs_(fs), state_dir_(std::move(state_dir)), floor_(floor) {}

  // Throws unless `octets` more may be written. `mailstore` may be null: not made yet.
  void need(OpenMailstore* mailstore, std::uint64_t octets);
  // The same before each of many messages, without asking each time.
  void expect(OpenMailstore& mailstore, std::uint64_t octets);

 private:
  void compare(std::uint64_t free, std::uint64_t octets, const std::string& path) const;

  Fs& fs_;
  const std::string state_dir_;
  const std::uint64_t floor_;
  std::uint64_t unseen_ = kLookEveryOctets;  // octets since the last look; the first message looks
};

}  // namespace popsync::sync
