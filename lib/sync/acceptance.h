// SPDX-License-Identifier: MIT
// What `popsync accept` does: the operator's word on what stopped an account. Each answer is one commit; killed before it, the account is still
// stopped, killed after it, it goes on. All under the account's lock.
#pragma once

#include <cstdint>
#include <optional>

#include "base/fs.h"
#include "state/state_store.h"
#include "sync/account_settings.h"
#include "sync/mailstore_opening.h"
#include "sync/stopped.h"

namespace popsync::sync {

// Why the account is stopped, with the numbers of the mailstore it is about.
struct Question {
  Stopped stop;
  std::uint64_t stored = 0;      // messages that were stored there
  std::uint64_t not_here = 0;    // of these, not in what is there now
  std::uint64_t unfinished = 0;  // messages that were on their way there
};

// Empty if nothing stops it that could be accepted. Looks as a session does before it connects; throws the Error that would end the session where no
// answer helps.
std::optional<Question> find_question(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// `answer` is one of question.stop.answers().
void accept(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target, const Question& question,
            Acceptance answer);

// The operator says that what is there now is meant: a Maildir's id (made if missing) and its generation are taken as they are. Rows whose messages
// are not there lose `removable`, what was unfinished and left no trace there is fetched again.
OpenMailstore accept_mailstore(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

// `seed` has made the server's messages known: mail that was there before is no question any more.
void answer_foreign_mail(state::StateStore& store, Fs& fs, const state::AccountRow& account, const MailstoreTarget& target);

}  // namespace popsync::sync
