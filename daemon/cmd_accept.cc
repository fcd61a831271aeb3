// SPDX-License-Identifier: MIT
// popsync accept: the operator's word on what stopped an account. Shows why it is stopped, takes that and nothing else, and lets the daemon go on.
#include <algorithm>
#include <iostream>

#include "accepting_user.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "commands.h"
#include "daemon_status.h"
#include "operator_answer.h"
#include "session_command.h"
#include "standing.h"
#include "sync/acceptance.h"
#include "sync/account_identity.h"
#include "sync/lost_state.h"
#include "sync/user_change.h"

namespace popsync {
namespace {

using sync::Acceptance;
using sync::Question;
using sync::StopReason;

std::optional<Acceptance> answer_given(const Options& options) {
  std::vector<Acceptance> given;
  if (options.mailstore) given.push_back(Acceptance::mailstore);
  if (options.gone) given.push_back(Acceptance::gone);
  if (options.foreign_mail) given.push_back(Acceptance::foreign_mail);
  if (options.user) given.push_back(Acceptance::user);
  if (given.size() > 1) throw Error(ErrorCode::usage, "accept takes one answer", "popsync accept --help lists them");
  return given.empty() ? std::nullopt : std::optional(given.front());
}

std::string options_for(const Question& question) {
  std::string text;
  for (const Acceptance answer : question.stop.answers()) text += (text.empty() ? "" : " or ") + std::string(option_of(answer));
  return text;
}

[[noreturn]] void refuse_nothing_stopped(const std::string& name) {
  throw Error(ErrorCode::usage, "nothing has stopped " + name + " that could be accepted", "`popsync check " + name + "` looks at everything");
}

void refuse_unfit(const Question& question, std::optional<Acceptance> answer) {
  const auto fitting = question.stop.answers();
  if (answer && std::ranges::count(fitting, *answer) > 0) return;
  if (answer) {
    throw Error(ErrorCode::usage, std::string(option_of(*answer)) + " does not fit: " + question.stop.message(),
                "if it is meant: " + options_for(question));
  }
  if (may_ask()) return;
  throw Error(ErrorCode::usage, "accept asks on a terminal; there is none", "if it is meant, say " + options_for(question));
}

void show(const std::string& name, const Question& question) {
  std::cout << name << ": " << question.stop.message() << '\n';
  if (question.stop.reason() == StopReason::other_user) std::cout << "  " << counted(question.stored, "message") << " known of it\n";
  if (!question.stop.mailstore()) return;
  std::cout << "  " << counted(question.stored, "message") << " stored there, " << question.not_here << " of them not "
            << (question.stop.reason() == StopReason::gone ? "to be seen" : "in what is there now") << "; " << counted(question.unfinished, "message")
            << " unfinished\n";
}

std::string prompt(const Question& question, const std::string& path) {
  switch (question.stop.answers().front()) {
    case Acceptance::gone: return "Give up what was there? Unfinished messages are fetched again.";
    case Acceptance::foreign_mail: return "Fetch all that the server has into " + path + ", beside what is there?";
    case Acceptance::mailstore: return "Go on with " + path + " as it is now?";
    case Acceptance::user: return "Is it the same maildrop under another login name? It is compared with what is stored.";
  }
  return "";
}

// What the operator means, once the account's reason to stop is shown; empty: nothing.
std::optional<Acceptance> ask(const SessionCommand& command, const Question& question, std::optional<Acceptance> given) {
  show(command.account().name, question);
  refuse_unfit(question, given);
  if (given || !agrees(prompt(question, escaped(command.request().settings.mailstore.path)))) return given;
  return question.stop.answers().front();
}

void tell_done(const std::string& name, const std::string& path, const Question& question, Acceptance answer) {
  if (answer == Acceptance::gone) {
    std::cout << name << ": " << counted(question.unfinished, "unfinished message") << " will be fetched again; "
              << counted(question.stored, "message") << " stored there stay" << (question.stored == 1 ? "s" : "")
              << " on the server for good; `popsync refetch " << name << " --missing` fetches again what is not here\n";
    return;
  }
  std::cout << name << ": goes on with " << path << '\n';
  if (question.not_here > 0) {
    std::cout << name << ": " << counted(question.not_here, "message") << " not there; `popsync refetch " << name
              << " --missing` fetches again what the server still has\n";
  }
}

state::FileLock lock_of(const SessionCommand& command, const state::AccountRow& account) {
  const sync::SyncRequest& request = command.request();
  return state::lock_account(command.services().store.directory(), account.id, command.services().command, request.lock_wait, request.stop);
}

// The rest looks at the mailstore, so the account has to be the right one first.
bool accept_user(const SessionCommand& command, const state::AccountRow& found, std::optional<Acceptance> given) {
  state::StateStore& store = command.services().store;
  const state::FileLock lock = lock_of(command, found);
  const auto stored = store.account(found.id);
  if (!stored || stored->user != found.user) throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
  const Question question{.stop = sync::stopped_by_other_user(found.name, command.account().user, *stored), .stored = store.seen_count(stored->id)};
  return ask(command, question, given) && take_user_of_same_maildrop(command, *stored);
}

bool accept_mailstore(const SessionCommand& command, std::optional<Acceptance> given) {
  const sync::SyncServices& services = command.services();
  const sync::MailstoreTarget& target = command.request().settings.mailstore;
  const std::string& name = command.account().name;
  const state::AccountRow row =
      sync::resolve_remembered(services.store, services.fs, sync::configured_mailstore(command.request().settings), services.configured_names);
  const state::FileLock lock = lock_of(command, row);
  const auto question = sync::find_question(services.store, services.fs, row, target);
  if (!question) refuse_nothing_stopped(name);
  const auto answer = ask(command, *question, given);
  if (!answer) return false;
  sync::accept(services.store, services.fs, row, target, *question, *answer);
  tell_done(name, escaped(target.path), *question, *answer);
  return true;
}

}  // namespace

int cmd_accept(Program& program) {
  const std::optional<Acceptance> given = answer_given(program.options);
  const SessionCommand command(program);
  const sync::SyncServices& services = command.services();
  const auto other = sync::account_of_other_user(services.store, command.request().settings, services.configured_names);
  if (!(other ? accept_user(command, *other, given) : accept_mailstore(command, given))) return 0;
  forgive(services.store, command.account().name);
  tell_daemon(services.store.directory());
  return 0;
}

}  // namespace popsync
