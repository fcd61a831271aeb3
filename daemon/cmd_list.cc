// SPDX-License-Identifier: MIT
// popsync list: the maildrop and what popsync knows of it.
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "account_wiring.h"
#include "base/format.h"
#include "commands.h"
#include "json_text.h"
#include "look.h"
#include "state_opening.h"
#include "unique_id_arguments.h"

namespace popsync {
namespace {

struct Line {
  pop3::ListingEntry entry;
  std::string name;
  std::string_view state;
};

std::string_view state_of(const pop3::ListingEntry& entry, const state::MessageRow* row, std::uint64_t max_message_size) {
  if (row == nullptr) return entry.list_size.value_or(0) > max_message_size ? "too big" : "new";
  switch (row->state) {
    case state::RowState::held: return "held";
    case state::RowState::skipped: return "skipped";
    default: return "seen";
  }
}

std::vector<Line> lines_of(const std::vector<pop3::ListingEntry>& entries, const KnownMessages& known, std::uint64_t max_message_size) {
  const auto names = known.names_in(entries);
  const auto texts = known.texts_of(entries, names);
  std::vector<Line> lines;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    lines.push_back({.entry = entries[i], .name = texts[i], .state = state_of(entries[i], names[i].row, max_message_size)});
  }
  return lines;
}

void print_text(const std::vector<Line>& lines) {
  std::cout << fmt::format("{:>7}  {:>10}  {:<8}  {}\n", "number", "size", "state", "unique-id");
  for (const Line& line : lines) {
    const std::string size = line.entry.list_size ? human_octets(*line.entry.list_size) : "?";
    std::cout << fmt::format("{:>7}  {:>10}  {:<8}  {}\n", line.entry.number.value, size, line.state, line.name);
  }
}

void print_lines_as_json(const std::string& account, const std::vector<Line>& lines) {
  auto answer = json_answer();
  answer->set("account", account);
  auto messages = json_array();
  for (const Line& line : lines) {
    auto message = json_object();
    message->set("number", line.entry.number.value);
    message->set("size", line.entry.list_size ? Poco::Dynamic::Var(*line.entry.list_size) : Poco::Dynamic::Var());
    message->set("uid", line.name);
    message->set("state", std::string(line.state));
    messages->add(message);
  }
  answer->set("messages", messages);
  print_json(answer);
}

}  // namespace

int cmd_list(Program& program) {
  const config::Account& account = *program.chosen_accounts().front();
  const auto store = open_existing_state(program);
  const StopOnSignal stop;
  net::MaildropListing listing;
  with_session(program, account, store.get(), stop.signal(), [&](sync::OpenSession& session) { listing = session.client->listing(); });
  const KnownMessages known(program, account, store.get());
  const auto lines = lines_of(listing.entries, known, account.max_message_size);
  if (program.options.json) {
    print_lines_as_json(account.name, lines);
  } else {
    print_text(lines);
  }
  return 0;
}

}  // namespace popsync
