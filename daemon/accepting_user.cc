// SPDX-License-Identifier: MIT
#include "accepting_user.h"

#include <iostream>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "operator_answer.h"
#include "sync/account_identity.h"
#include "sync/maildrop_comparison.h"
#include "sync/stopped.h"
#include "sync/user_change.h"

namespace popsync {
namespace {

using sync::MaildropComparison;

void show(const std::string& name, const MaildropComparison& found) {
  std::cout << name << ": " << counted(found.listed, "message") << " on the server, " << found.in_common << " of them known by unique-id and size; "
            << found.looked_at << " compared with what is stored, " << found.equal << " of them equal\n";
}

std::string why_unclear(const MaildropComparison& found) {
  if (!found.unique_ids) return "the server has no UIDL";
  if (found.listed == 0) return "the maildrop is empty";
  if (found.in_common == 0) return "none of the " + counted(found.listed, "message") + " there is known by unique-id and size";
  if (found.looked_at == 0) return "what is known there cannot be recognised: it was never stored, only marked as known";
  return "the server gave only " + std::to_string(found.equal) + " of the " + counted(found.looked_at, "message") + " that it was asked for";
}

[[noreturn]] void refuse_another(const std::string& name, const std::string& users, const MaildropComparison& found) {
  throw Error(ErrorCode::account_identity, users + " have different maildrops: message " + found.other + " is another one; nothing was changed",
              "go back to the old user, or begin anew: " + sync::other_account_hint(name));
}

}  // namespace

bool take_user_of_same_maildrop(const SessionCommand& command, const state::AccountRow& stored) {
  const std::string& name = command.account().name;
  const std::string users = escaped(stored.user) + " and " + escaped(command.account().user);
  state::AccountRow account = stored;
  const MaildropComparison found = sync::compare_maildrop(command.services(), command.request(), account);
  show(name, found);
  if (found.verdict() == MaildropComparison::Verdict::another) refuse_another(name, users, found);
  if (found.verdict() == MaildropComparison::Verdict::unclear) {
    const std::string unclear = "nothing shows that " + users + " have the same maildrop: " + why_unclear(found);
    if (!may_ask()) {
      throw Error(ErrorCode::account_identity, unclear + "; nothing was changed",
                  "on a terminal " + sync::accept_command(name) + " asks; else " + sync::other_account_hint(name));
    }
    std::cout << name << ": " << unclear << '\n';
    if (!agrees("Go on all the same? The next sync would fetch " + counted(found.to_fetch, "message") + ".")) return false;
  }
  sync::take_user(command.services(), command.request().settings, account);
  std::cout << name << ": goes on as " << escaped(command.account().user) << "; messages are compared once more before any is deleted\n";
  return true;
}

}  // namespace popsync
