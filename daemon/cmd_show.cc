// SPDX-License-Identifier: MIT
// popsync show: header and first lines of a message on the server, by TOP: it is not retrieved, so no server marks or hides it.
#include <iostream>
#include <sstream>

#include "base/escape.h"
#include "commands.h"
#include "look.h"
#include "state_opening.h"
#include "unique_id_arguments.h"

namespace popsync {
namespace {

constexpr std::uint32_t kBodyLines = 20;
constexpr std::size_t kLineOctetsMax = 1000;

pop3::MessageNumber find_number(const std::vector<pop3::ListingEntry>& entries, const KnownMessages& known, const std::string& text,
                                const std::string& account) {
  const sync::MessageName wanted = parse_name_argument(text, account);
  const std::string by_uid = pop3::to_text(wanted.uid.uid, wanted.uid.occurrence);
  const std::string by_size = sync::message_name({}, wanted.list_size, wanted.uid.occurrence);
  const auto texts = known.texts_of(entries, known.names_in(entries));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!texts[i].empty() && (texts[i] == by_uid || texts[i] == by_size)) return entries[i].number;
  }
  refuse_unknown_uid(text, account);
}

// A message may hold anything that a terminal obeys; each line is shown escaped.
void print_escaped(const std::string& message) {
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    std::cout << escaped(line, kLineOctetsMax) << '\n';
  }
}

}  // namespace

int cmd_show(Program& program) {
  const Options& options = program.options;
  if (options.uids.empty() == !options.number)
    throw Error(ErrorCode::usage, "show takes a unique-id or --number N", "`popsync list " + escaped(options.accounts.front()) + "` prints both");
  const config::Account& account = *program.chosen_accounts().front();
  const auto store = open_existing_state(program);
  const StopOnSignal stop;
  with_session(program, account, store.get(), stop.signal(), [&](sync::OpenSession& session) {
    const pop3::MessageNumber number = options.number ? pop3::MessageNumber{*options.number}
                                                      : find_number(session.client->listing().entries, KnownMessages(program, account, store.get()),
                                                                    options.uids.front(), account.name);
    const auto text = session.client->top(number, kBodyLines);
    if (!text) {
      throw Error(ErrorCode::unknown_uid, "the server does not show message " + std::to_string(number.value),
                  "it is gone, or the server has no TOP (`popsync check " + account.name + " --connect` tells)");
    }
    print_escaped(*text);
  });
  return 0;
}

}  // namespace popsync
