// SPDX-License-Identifier: MIT
// A server with mail, and a user whose `popsync sync` or daemon will be killed; then what must hold.
#pragma once

#include <cstddef>
#include <cstdint>
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
  bool synced_before = false;                                // the first half of the mail has been fetched, and left on the server
  std::vector<std::string> users = {MaildropServer::kUser};  // an account each, all with the same target
};
void PrintTo(const Setting& setting, std::ostream* out);
std::vector<Setting> settings();
// One for Maildir, one for mbox: mail is removed.
std::vector<Setting> removing();

class KilledSync {
 public:
  explicit KilledSync(const Setting& setting);

  [[nodiscard]] MaildropServer& server() { return server_; }
  [[nodiscard]] ProgramCall sync() const { return home_.call({"sync"}); }
  [[nodiscard]] ProgramCall daemon() const { return home_.call({"run"}); }
  // Where state and mail lie, in this order.
  [[nodiscard]] std::vector<std::string> folders() const { return {home_.state_dir(), home_.folder() / "mail"}; }

  // Right after the kill: nothing is here twice or in part, and what is gone from the server is here.
  void expect_nothing_lost();
  // The next sync succeeds; then every message is here once, nothing is unfinished, and one more sync fetches nothing.
  void expect_recovery();

 private:
  void fill(std::size_t from, std::size_t to);  // the maildrop of each user, with the messages of these numbers
  void configure(bool leave_on_server) const;

  const Setting& setting_;
  MaildropServer server_;
  ProgramHome home_;
  std::vector<std::string> all_;  // as they have to be stored, sorted
};

}  // namespace popsync::test
