// SPDX-License-Identifier: MIT
// Where the accounts of a sweep put their mail: what to configure, and how to read it back.
#pragma once

#include <string>
#include <vector>

#include "file_call.h"
#include "support/program_home.h"

namespace popsync::test {

struct MailTarget {
  using Messages = std::vector<std::string> (*)(const ProgramHome& home);

  std::string name;                                       // in test names
  std::string (*configuration)(const ProgramHome& home);  // a line of an account
  Messages messages;                                      // all that is there, sorted
  Messages visible;                                       // what a mail reader would show, sorted
  Messages unfinished;                                    // what a sync that went well must not leave
  bool (*publishes)(const FileCall& call);                // it puts mail where readers see it
  bool whole_at_any_time;                                 // a reader never sees a part of a message, even before recovery
};

// By its name: of all that popsync makes only a message in staging, or one published from there, has a "_" in it.
bool is_message_file(const std::string& path);

MailTarget maildir_target();
MailTarget mbox_target();

}  // namespace popsync::test
