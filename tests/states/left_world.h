// SPDX-License-Identifier: MIT
// A user's world as the built popsync leaves it: a state with rows of every kind, the mailstores they speak of, and the maildrops behind them. Later
// versions of popsync are tested with what is kept of it.
#pragma once

#include <string>
#include <vector>

#include "support/maildrop_server.h"
#include "support/program_home.h"

namespace popsync::test {

class LeftWorld {
 public:
  // Lets popsync work, account after account; the last ones are killed at their work. Throws std::runtime_error if it does not do what is said of it.
  LeftWorld();

  // Packs config/, state/, mail/ and maildrops/ with the file `origin` into `archive` (.tar.gz). The newest commits stay in the log of the database,
  // as the last kill has left them.
  void pack(const std::string& archive);

 private:
  struct Account {
    std::string name;
    std::string where;      // "maildir" or "mbox"
    std::string path = {};  // default: mail/NAME
    std::string more = {};  // a further line
  };

  void add(const std::string& account, const std::vector<std::string>& uids);
  void configure(const std::string& leave_on_server = "true") const;
  void sync(const std::string& account, int status = 0) const;
  // The sync dies before the nth call of these that publish a message.
  void kill_sync(const std::string& account, std::size_t nth_stop) const;
  [[nodiscard]] std::string mail(const std::string& name) const { return home_.folder() / ("mail/" + name); }

  void leave_published();
  void leave_seeded();
  void leave_held_and_skipped();
  void leave_deletions_in_doubt();
  void leave_moved();
  void leave_adopted();
  void leave_two_in_one_maildir();
  void leave_staged_in_maildir();
  void leave_staged_behind_another_writer();
  void leave_torn();

  MaildropServer server_;
  ProgramHome home_;
  std::vector<Account> accounts_;
};

}  // namespace popsync::test
