// SPDX-License-Identifier: MIT
// A user's mail over months, made from a seed: messages come, equal ones and ones with the unique-id of another among them; policies change; the
// disk, the power and the server fail; a reader moves and deletes. Every fourth seed has an mbox, which nobody else touches and whose disk fails by
// crashes only: what a failed sync leaves in doubt there stays so (crash_world). Every third seed has a server that numbers its messages from 1 again
// whenever its maildrop was emptied, by us or by somebody else, and all its messages have one size. Beside it stands the plain account of what must
// be where: every message that was ever on the server exactly once among the folders, where the reader put it and what the reader deleted.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/crash_mailstore.h"
#include "support/crash_rig.h"
#include "support/maildrop_server.h"
#include "support/temp_folder.h"

namespace popsync::test {

class CrashModel {
 public:
  explicit CrashModel(std::uint64_t seed);

  // Lives through everything and then, with all in order again, checks. What was done is told with a failure.
  void live();

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(std::uint64_t in) { return below(in) == 0; }
  [[nodiscard]] FaultKind fault();

  void unique_ids_change();
  void numbers_begin_again();
  void mail_comes();
  std::string new_message();
  std::string numbered_message();
  [[nodiscard]] bool may_come(const std::string& octets) const;
  void server_misbehaves();
  void sync_struck();
  void reader_acts();
  void time_passes();
  RigRun run() const;
  void check(bool at_rest);
  [[nodiscard]] Messages here() const;
  void tell(const std::string& line) { story_ += "  " + line + "\n"; }
  void fail(const std::string& what) const;

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  TempFolder folder_{"model"};
  MaildropServer server_;
  std::int64_t now_ = 1'700'000'000;
  Leave leave_ = Leave::keep;
  std::uint64_t messages_ = 0;
  std::vector<std::string> recent_;  // messages that came, as on the server
  std::set<std::size_t> sizes_;      // of all that came
  Messages all_;                     // as stored, with how many there must be
  Messages deleted_;                 // by the reader
  const bool is_mbox_;
  const bool numbers_;        // unique-ids are 1, 2, 3 ..., and each message has the same size
  std::uint64_t number_ = 0;  // the last one given
  const std::unique_ptr<CrashMailstore> mailstore_;
  bool well_behaved_ = true;  // the server, in this session
  bool all_known_ = false;    // the last sync had no trouble
  bool may_have_deleted_ = false;
  std::string story_;
};

}  // namespace popsync::test
