// SPDX-License-Identifier: MIT
// A file of tests/dialogs: the dialogue of a ScriptedServer, how the account is set up that meets it, and what must come of that. What is not the
// dialogue stands in lines that the server takes for comments:
//
//   # with: leave remove         a setting of the account; each on its own line:
//                                leave keep|remove, auth auto|user|plain|apop, tls none|starttls|implicit, pipelining auto|on|off, user NAME,
//                                max_message_size OCTETS, patience MILLISECONDS (with silence), session MILLISECONDS (in all), rset_before_quit,
//                                skip_first_message
//   # expect: fetched 2, deleted 1, held 1     one line for each sync, in order; what is not named is 0
//   # expect: error timeout: no answer         the sync fails with this code, and its message holds this text (which may be left out)
//   # stored: Subject: one\n\nbody\n           one line for each message that is in the Maildir at the end (escapes as in S:), or ...
//   # stored: 70000 octets                     ... its size alone
//   # played: as written (WHY)     line by line only, for what would take too long octet by octet or means something else then
//   use login                    the lines of login.part, in the same folder, stand here
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace popsync::test {

struct ExpectedSync {
  std::optional<ErrorCode> error = {};
  std::string says = {};  // part of the error's message
  std::uint64_t fetched = 0;
  std::uint64_t deleted = 0;
  std::uint64_t held = 0;
};

struct ExpectedMessage {
  std::string octets = {};
  std::optional<std::size_t> size = {};  // instead
  [[nodiscard]] bool matches(const std::string& stored) const { return size ? stored.size() == *size : stored == octets; }
};

struct DialogueFile {
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<ExpectedSync> syncs;
  std::vector<ExpectedMessage> stored;
  bool as_written_only = false;
  std::string dialogue;  // with the lines of the parts it uses
  // A line that the client is expected to say begins so.
  [[nodiscard]] bool expects(std::string_view words) const;
};

// Throws std::invalid_argument naming file and line.
DialogueFile read_dialogue_file(const std::string& path);

}  // namespace popsync::test
