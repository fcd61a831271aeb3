// SPDX-License-Identifier: MIT
// popsync accept: the operator's word on what stopped an account. Shows why it is stopped, takes that and nothing else, and lets the daemon go on.
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "account_wiring.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "commands.h"
#include "daemon_status.h"
#include "look.h"
#include "standing.h"
#include "state_opening.h"
#include "sync/acceptance.h"

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
  if (::isatty(STDIN_FILENO) == 1) return;
  throw Error(ErrorCode::usage, "accept asks on a terminal; there is none", "if it is meant, say " + options_for(question));
}

void show(const std::string& name, const Question& question) {
  std::cout << name << ": " << question.stop.message() << '\n';
  if (!question.stop.mailstore()) return;
  std::cout << "  " << counted(question.stored, "message") << " stored there, " << question.not_here << " of them not "
            << (question.stop.reason() == StopReason::gone ? "to be seen" : "in what is there now") << "; " << counted(question.unfinished, "message")
            << " unfinished\n";
}

std::string prompt(const Question& question, const std::string& path) {
  switch (question.stop.answers().front()) {
    case Acceptance::gone: return "Give up what was there? Unfinished messages are fetched again. [y/N] ";
    case Acceptance::foreign_mail: return "Fetch all that the server has into " + path + ", beside what is there? [y/N] ";
    case Acceptance::mailstore: return "Go on with " + path + " as it is now? [y/N] ";
  }
  return "";
}

bool confirmed(const Question& question, const std::string& path) {
  std::cerr << prompt(question, path);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
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

}  // namespace

int cmd_accept(Program& program) {
  const config::Account& account = *program.chosen_accounts().front();
  std::optional<Acceptance> answer = answer_given(program.options);
  const auto store = open_state(program);
  const StopOnSignal stop;
  const state::AccountRow row = resolve_account(program, *store, account);
  const sync::MailstoreTarget target = mailstore_target(account);
  const std::string path = escaped(target.path);
  {
    const state::FileLock lock =
        state::lock_account(store->directory(), row.id, program.lock_name(), program.options.wait.value_or(state::kLockWaitDefault), stop.signal());
    const auto question = sync::find_question(*store, real_fs(), row, target);
    if (!question) refuse_nothing_stopped(account.name);
    show(account.name, *question);
    refuse_unfit(*question, answer);
    if (!answer && !confirmed(*question, path)) return 0;
    if (!answer) answer = question->stop.answers().front();
    sync::accept(*store, real_fs(), row, target, *question, *answer);
    tell_done(account.name, path, *question, *answer);
  }
  forgive(*store, account.name);
  tell_daemon(store->directory());
  return 0;
}

}  // namespace popsync
