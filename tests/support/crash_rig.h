// SPDX-License-Identifier: MIT
// Runs syncs in a process of their own that a fault may end at any call: real files, a real database, real sockets, and the product's own way of
// ending when it must. A helper process is forked while the test has one thread only, and forks a child for each run, so a run costs milliseconds and
// no lock of the test's servers is ever copied.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "state/rows.h"
#include "support/machine.h"

namespace popsync::test {

// Everything crosses by shared memory, so all is of fixed size.
template <std::size_t Size>
class FixedText {
 public:
  FixedText() = default;
  FixedText(std::string_view text) {  // NOLINT(google-explicit-constructor): a text of fixed size
    length_ = std::min(text.size(), Size);
    for (std::size_t i = 0; i < length_; ++i) octets_[i] = text[i];
  }
  FixedText(const std::string& text) : FixedText(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  FixedText(const char* text) : FixedText(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::string text() const { return {octets_.data(), length_}; }

 private:
  std::array<char, Size> octets_{};
  std::size_t length_ = 0;
};

struct RigAccount {
  FixedText<32> name;
  FixedText<32> user;
  FixedText<256> mailstore;
  state::MailstoreKind kind = state::MailstoreKind::maildir;
  std::uint16_t port = 0;
};

enum class Leave { keep, remove, remove_after_14_days };

enum class Work { sync, adopt, rebuild, accept };  // accept: what stops the account, and then sync

struct RigRun {
  FaultKind fault = FaultKind::none;
  std::uint64_t step = 0;
  std::uint64_t seed = 0;
  bool failed_sync_loses = false;
  bool without_journal = false;   // of the disk that state and mail are on
  bool power_cut_at_end = false;  // also if the run was not crashed
  FixedText<256> state;
  FixedText<256> attic;  // of the last run: what it did not sync, a power cut in this one still takes (VolatileDisk)
  FixedText<256> log;    // what the run logs goes to this file, anew
  std::array<RigAccount, 2> accounts;
  std::size_t account_count = 1;
  Leave leave = Leave::keep;
  Work work = Work::sync;
  std::int64_t now = 0;    // unix seconds
  std::size_t rounds = 1;  // syncs of all accounts (or what `work` says), in order; fewer if a round finds nothing to do
  std::size_t batch_messages = 3;
  bool publisher_thread = false;  // else one order of steps
};

struct RigReport {
  bool crashed = false;  // by the fault
  int exit_status = -1;  // of a run that ended by itself; 0: all rounds were carried out; negative: a signal
  std::uint64_t steps = 0;
  FixedText<300> struck;  // the call that was struck
  bool quiet = false;     // the last round had no error and found nothing to do
  std::uint64_t fetched = 0;
  std::uint64_t deleted = 0;
  std::uint64_t recovered = 0;
  FixedText<400> error;  // the last one
};

class CrashRig {
 public:
  // The one of this process. Made before the first test.
  static CrashRig& instance();
  CrashRig(const CrashRig&) = delete;
  CrashRig& operator=(const CrashRig&) = delete;
  ~CrashRig();

  // Not from two threads.
  RigReport run(const RigRun& run);

 private:
  struct Shared;
  CrashRig();
  [[noreturn]] void serve(int channel);
  Shared* shared_;
  int channel_ = -1;
  int helper_ = 0;
};

}  // namespace popsync::test
