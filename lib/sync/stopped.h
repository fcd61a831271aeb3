// SPDX-License-Identifier: MIT
// Why an account stops until its operator says what is meant: what `popsync accept` finds, shows and takes. The very code that ends a session throws
// it, so both always agree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "state/rows.h"

namespace popsync::sync {

enum class StopReason {
  absent,        // the mailstore that the account delivers to is not there
  replaced,      // what is there is not the one used before
  older,         // what is there is older than the state: put back from a backup
  copied,        // it is a copy of the Maildir used before, which is where it was
  lost_state,    // it was filled from this maildrop under a state that is gone
  gone,          // a mailstore that the account has left, with rows, is not there
  foreign_mail,  // it holds mail, and nothing shows that popsync was there before
  other_user,    // the account of this name had another user
};

// What the operator may answer, and the option that says it in a script.
enum class Acceptance { mailstore, gone, foreign_mail, user };
std::string_view option_of(Acceptance acceptance);

class Stopped : public Error {
 public:
  // `mailstore`: the one it is about, if the state knows it.
  Stopped(StopReason reason, std::optional<state::MailstoreRow> mailstore, const Error& told)
      : Error(told), reason_(reason), mailstore_(std::move(mailstore)) {}

  [[nodiscard]] StopReason reason() const { return reason_; }
  [[nodiscard]] const std::optional<state::MailstoreRow>& mailstore() const { return mailstore_; }
  // The first is the usual one.
  [[nodiscard]] std::vector<Acceptance> answers() const;

 private:
  StopReason reason_;
  std::optional<state::MailstoreRow> mailstore_;
};

// "`popsync accept NAME`"
std::string accept_command(const std::string& account_name);

}  // namespace popsync::sync
