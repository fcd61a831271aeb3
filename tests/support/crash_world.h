// SPDX-License-Identifier: MIT
// A maildrop, a mailstore and a state that are interrupted again and again, each time from the same beginning, and what must be true afterwards:
// every message exactly once among the mailstore, where the reader put it and what the reader deleted; nothing partial there at any time (of an mbox:
// in the end); what is gone from the server is here; nothing left in staging; nothing fetched by one more pass. The expected outcomes are in this one
// place (check_*).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/crash_mailstore.h"
#include "support/crash_rig.h"
#include "support/maildrop_server.h"
#include "support/temp_folder.h"

namespace popsync::test {

constexpr std::size_t kDottedMessage = 4;  // has a line that is a dot; its unique-id is "new-4"

// What happened to the state, the mailstore or the maildrop before the struck run.
enum class Before {
  nothing,
  database_lost,        // its key is there
  state_begun_anew,     // with another key: the mailstore is that of a stranger
  state_restored,       // from a backup that knows half of the old messages
  mailstore_restored,   // likewise; the right one comes back after the struck run
  mailstore_unmounted,  // an empty folder stands there; the right one comes back after the struck run
  unique_ids_changed,   // all of them
  mailstore_moved,      // the account delivers to the place where it is now
  mailstore_copied,     // the same, but the copy holds no mail
  mailstore_lost,       // with its staging; the mail in it is kept by the user
  mailstore_emptied,    // lost so, and an empty folder is in its place
  mailstore_left,       // lost so, and the account delivers to another place
  foreign_mail,         // the account is new, and another program's mail lies there
  user_renamed,         // at the provider, and in the configuration
};

struct Story {
  std::string name;
  Leave leave = Leave::keep;
  std::size_t old_messages = 2;  // here already when the struck run begins
  std::size_t new_messages = 7;
  std::size_t accounts = 1;  // all deliver to one mailstore
  state::MailstoreKind mailstore = state::MailstoreKind::maildir;
  std::function<void(MaildropKnobs&)> server = {};        // in the struck run
  std::function<void(MaildropKnobs&)> server_after = {};  // in the first session after the restart; then it is healthy
  Before before = Before::nothing;                        // the struck run
  Work work = Work::sync;                                 // of the struck run; done once more, unharmed, before the first sync after it
  Reader reader = Reader::leaves_it;
  bool unfinished = false;  // the first of the new messages is staged, and not published, when the struck run begins
  bool mail_comes = false;  // a message for each account between the crash and the restart
  bool publisher_thread = false;
  bool without_journal = false;  // the disk of all
};

// What strikes, described for people by description().
struct Blow {
  FaultKind fault = FaultKind::none;
  std::uint64_t step = 0;
  std::uint64_t seed = 0;
  bool failed_sync_loses = false;
  bool power_cut_at_end = false;
  std::size_t rounds = 1;  // syncs in the struck process: 2 meets again what an error left
};
std::string description(const Blow& blow);

class CrashWorld {
 public:
  explicit CrashWorld(Story story);

  // From the beginning: the struck run, the reader, the restart with a healthy disk, and the checks. True if the blow struck, false if the run was
  // over before. A second blow strikes the first run after the restart.
  bool live_through(const Blow& blow, const Blow* second = nullptr);
  // The first of two blows did, in the last life.
  [[nodiscard]] bool first_struck() const { return !last_struck_.empty(); }
  // Calls of the last struck run that its blow could have met.
  [[nodiscard]] std::uint64_t steps() const { return last_steps_; }

 private:
  [[nodiscard]] std::unique_ptr<CrashMailstore> mailstore(const std::string& name) const;
  void fetch_old_messages();
  void leave_one_unfinished();
  void begin_again();
  void prepare();
  void keep_mail_of_lost_mailstore();
  void deliver_elsewhere();
  void put_back_mailstore();
  RigRun run_of(const Blow& blow) const;
  RigReport struck_run(const Blow& blow);
  void check_after_crash(const std::string& what, bool at_the_end = false);
  void mail_comes();
  // What a failed sync was to save can be copied from one file to another; in an mbox it stays in doubt, so it stays on the server too.
  [[nodiscard]] bool proves_itself(FaultKind fault) const;
  // Until nothing is left to do. Then the power goes once more: what is at rest is durable, whichever process wrote it.
  void restart(const std::string& what, bool then_cut_power);
  void come_to_rest(const RigRun& run, const std::string& what);
  // An mbox whose sync failed proves nothing, whatever is read from it: these stay on the server.
  void check_on_server(const std::string& what, const Messages& in_doubt);
  void check_at_the_end(const std::string& what, bool crash_only);
  [[nodiscard]] Messages here() const;  // with what the reader deleted
  [[nodiscard]] std::string told() const;
  [[nodiscard]] std::string user(std::size_t account) const;

  Story story_;
  TempFolder folder_{"crash"};
  MaildropServer server_;
  std::vector<std::vector<std::string>> messages_;  // by account, as on the server
  Messages all_;                                    // as stored, with how many there must be
  std::unique_ptr<CrashMailstore> mail_;
  Visit visit_;
  Messages foreign_;      // there before the struck run
  bool renamed_ = false;  // the user
  std::string last_struck_;
  std::uint64_t last_steps_ = 0;
};

}  // namespace popsync::test
