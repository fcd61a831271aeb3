// SPDX-License-Identifier: MIT
// The mailstore of a crash test as others see it: what is in it, and what a mail reader or another program does to it between the crash and the
// restart. A Maildir or an mbox; both are read here without the product's code.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/crash_rig.h"

namespace popsync::test {

inline constexpr auto kMaildir = state::MailstoreKind::maildir;
inline constexpr auto kMbox = state::MailstoreKind::mbox;

// What happens between the crash and the restart.
enum class Reader {
  leaves_it,
  sets_flags,         // of an mbox: writes Status fields into a new file, which takes the place of the old one
  renames_as_mbsync,  // in a Maildir only
  moves_away,
  deletes,                  // of an mbox: every second message
  another_program_delivers  // a message of its own
};

using Messages = std::map<std::string, int>;  // as stored, with how often

// What became of messages by the hands of others.
struct Visit {
  Messages deleted;
  Messages foreign;   // came meanwhile: delivered by another program, or on the server
  Messages again;     // taken out of an mbox before their rows were recorded: nothing tells that they were there, so they come once more
  Messages for_good;  // torn pieces at the end of an mbox that somebody took for mail: nobody may cut them off any more
};

class CrashMailstore {
 public:
  virtual ~CrashMailstore() = default;

  virtual void point(RigAccount& account) const = 0;
  // In the mailstore and where the reader put them. Of an mbox with pieces of messages, if a crash has left some.
  [[nodiscard]] virtual Messages messages() const = 0;
  [[nodiscard]] virtual std::vector<std::string> left_in_staging() const = 0;
  virtual Visit visit(Reader reader) = 0;
  // Messages that stand in an mbox, whole, and are not recorded.
  [[nodiscard]] virtual Messages unrecorded() const { return {}; }
  // A reader never sees a part of a message, even before recovery.
  [[nodiscard]] virtual bool whole_at_any_time() const = 0;
  // What a reader takes away before recovery has seen it counts as published and is deleted on the server all the same.
  [[nodiscard]] virtual bool deletes_unseen() const = 0;
};

constexpr const char* kFirstMailstore = "mail";
constexpr const char* kSecondMailstore = "elsewhere";
extern const std::string kForeign;  // a message of another program

// Of the state `folder`/state, in the folder of this name. `known`: all messages there are; must outlive it.
std::unique_ptr<CrashMailstore> maildir_in(const std::string& folder, const std::string& name);
std::unique_ptr<CrashMailstore> mbox_in(const std::string& folder, const std::string& name, const Messages& known);

}  // namespace popsync::test
