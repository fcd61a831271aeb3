// SPDX-License-Identifier: MIT
// Where the accounts of a sweep put their mail: what to configure, and how to read it back.
#pragma once

#include <string>
#include <vector>

#include "support/program_home.h"

namespace popsync::test {

struct MailTarget {
  using Messages = std::vector<std::string> (*)(const ProgramHome& home);

  std::string name;                                       // in test names
  std::string (*configuration)(const ProgramHome& home);  // a line of an account
  Messages messages;                                      // all that is there, sorted
  Messages visible;                                       // what a mail reader would show, sorted
  Messages unfinished;                                    // what a sync that went well must not leave
  std::string publishing_call;                            // what its system call's name begins with
  bool whole_at_any_time;                                 // a reader never sees a part of a message, even before recovery
};

MailTarget maildir_target();
MailTarget mbox_target();

}  // namespace popsync::test
