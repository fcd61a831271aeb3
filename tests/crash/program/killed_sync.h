// SPDX-License-Identifier: MIT
// A server with mail, and a user whose first `popsync sync` will be killed; then what must hold.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "mail_target.h"
#include "support/maildrop_server.h"

namespace popsync::test {

struct Setting {
  std::string name;
  MailTarget target;
  bool leave_on_server = true;
  std::vector<std::string> users = {MaildropServer::kUser};  // an account each, all with the same target
};
void PrintTo(const Setting& setting, std::ostream* out);
std::vector<Setting> settings();

class KilledSync {
 public:
  explicit KilledSync(const Setting& setting);

  [[nodiscard]] MaildropServer& server() { return server_; }
  [[nodiscard]] ProgramCall sync() const { return home_.call({"sync"}); }
  // Where state and mail lie.
  [[nodiscard]] std::vector<std::string> folders() const { return {home_.state_dir(), home_.folder() / "mail"}; }

  // Right after the kill: nothing is here twice or in part, and what is gone from the server is here.
  void expect_nothing_lost();
  // The next sync succeeds; then every message is here once, nothing is unfinished, and one more sync fetches nothing.
  void expect_recovery();

 private:
  const Setting& setting_;
  MaildropServer server_;
  ProgramHome home_;
  std::vector<std::string> all_;  // as they have to be stored, sorted
};

// Which of the steps 1, 2, 3 ... of a sweep are tried: with POPSYNC_LONG=1 all of them, else every `step`-th from a random one on ($POPSYNC_SEED
// repeats a run). Printed, so that a failure can be found again.
struct Sweep {
  explicit Sweep(std::size_t thinned_to_every);
  std::size_t first = 1;
  std::size_t step = 1;
};

}  // namespace popsync::test
