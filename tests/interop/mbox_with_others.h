// SPDX-License-Identifier: MIT
// An account that delivers into an mbox with an entry of somebody else's, and the commands by which shell scripts lock an mbox.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {

// Shell commands; the mbox is $1.
struct Locker {
  std::string program;
  std::string lock;  // fails at once if another has it
  std::string unlock;
};
inline void PrintTo(const Locker& locker, std::ostream* out) { *out << locker.program; }

inline std::vector<Locker> lockers() {
  return {{"lockfile", R"(lockfile -r 0 "$1.lock" 2>/dev/null)", R"(rm -f "$1.lock")"},
          {"dotlockfile", R"(dotlockfile -r 0 -l "$1.lock")", R"(dotlockfile -u "$1.lock")"},
          {"mutt_dotlock", R"(mutt_dotlock -r 0 "$1")", R"(mutt_dotlock -u "$1")"}};
}

struct MboxWithOthers : testing::Test {
  static constexpr const char* kFirst = "From you Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nbody\n\n";

  MboxWithOthers() {
    (void)home.folder().write("mail/box", kFirst);
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + MaildropServer::kUser +
                        "\"\npassword = \"" + MaildropServer::kPassword + "\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox() +
                        "\"\n");
    home.run({"accept", "home", "--foreign-mail"});
  }
  void mail_comes(std::size_t messages) {
    for (std::size_t i = 0; i < messages; ++i) {
      server.add(small_message("popsync " + std::to_string(server.count()), std::string(i % 30 * 300, 'x') + "\r\nFrom me\r\n"));
    }
  }
  [[nodiscard]] std::string mbox() const { return home.folder() / "mail/box"; }
  [[nodiscard]] std::vector<MboxText> entries() const { return entries_of(content_of(mbox())); }
  // With the mbox as $1 and `argument` as $2.
  [[nodiscard]] ProgramCall shell(const std::string& script, const std::string& argument = "") const {
    return {.arguments = {"-c", script, "sh", mbox(), argument}, .environment = {{"HOME", home.folder() / "home"}}, .program = "sh"};
  }

  MaildropServer server;
  ProgramHome home;
};

}  // namespace popsync::test
