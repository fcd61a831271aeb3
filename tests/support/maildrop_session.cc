// SPDX-License-Identifier: MIT
#include "support/maildrop_session.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/random.h"

namespace popsync::test {

namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

}  // namespace

MaildropSession::MaildropSession(MaildropState& state, Connection& connection, std::size_t number)
    : state_(state), connection_(connection), number_(number) {
  const std::lock_guard lock(state_.mutex);
  knobs_ = state_.knobs;
}

MaildropSession::~MaildropSession() { unlock_maildrop(); }

void MaildropSession::run() {
  if (!open()) return;
  while (!over_) {
    const std::optional<std::string> line = next_line();
    if (!line || connection_.broken()) return connection_.drop();
    const std::size_t space = line->find(' ');
    obey({.verb = upper(line->substr(0, space)), .argument = space == std::string::npos ? "" : line->substr(space + 1)});
    if (!over_ && connection_.input_waiting()) {
      const std::lock_guard lock(state_.mutex);
      ++state_.record.sent_ahead;
    }
  }
}

// False: the session ends here.
bool MaildropSession::open() {
  if (knobs_->reset_on_connect) {
    connection_.reset();
    return false;
  }
  if (knobs_->silent) {
    connection_.drain();
    return false;
  }
  if (state_.tls_mode == ServerTls::implicit) {
    start_tls();
    if (over_) return false;
  }
  if (knobs_->apop) timestamp_ = "<" + std::to_string(number_) + "." + to_hex(random_octets(8)) + "@maildrop.test>";
  if (knobs_->greeting) {
    reply(*knobs_->greeting);
  } else {
    reply(timestamp_.empty() ? "+OK maildrop ready" : "+OK maildrop ready " + timestamp_);
  }
  return true;
}

// The next command, or response to a challenge. Nothing: the client is gone; half a line at the end of a connection is no command.
std::optional<std::string> MaildropSession::next_line() {
  const bool waits = !connection_.line_ready();
  std::optional<std::string> line = connection_.read_line();
  if (!line || !line->ends_with('\n')) return std::nullopt;
  line->resize(line->size() - (line->ends_with("\r\n") ? 2 : 1));

  std::unique_lock lock(state_.mutex);
  knobs_ = state_.knobs;
  state_.record.commands.push_back({.session = number_, .line = *line, .in_clear = !connection_.tls()});
  commands_so_far_ = state_.record.commands.size();
  state_.changed.notify_all();
  if (waits && knobs_->latency.count() > 0) {
    state_.changed.wait_for(lock, knobs_->latency, [this] { return state_.stopping || connection_.hurried(); });
  }
  return line;
}

void MaildropSession::obey(const Command& command) {
  const std::optional<Fault> fault = fault_at(command);
  if (knobs_->before_command) knobs_->before_command(commands_so_far_);
  if (!fault || fault->after_reply) carry_out(command);
  if (knobs_->after_command) {
    connection_.flush();
    knobs_->after_command(commands_so_far_);
  }
  if (!fault || over_) return;
  if (!fault->reply.empty()) reply(fault->reply);
  if (fault->close) {
    over_ = true;
    unlock_maildrop();
    connection_.end(knobs_->close_notify);
  }
}

void MaildropSession::carry_out(const Command& command) {
  if (command.verb == "QUIT") return quit();
  if (command.verb == "CAPA") return answer_capa();
  if (maildrop_ == nullptr) return authorize(command);
  transact(command);
}

std::optional<Fault> MaildropSession::fault_at(const Command& command) {
  int number = 0;
  std::from_chars(command.argument.data(), command.argument.data() + command.argument.size(), number);
  const bool listed = maildrop_ != nullptr && number >= 1 && static_cast<std::size_t>(number) <= listing_.size();
  const std::string uid = listed ? listing_[static_cast<std::size_t>(number) - 1].uid : "";

  fault_matches_.resize(std::max(fault_matches_.size(), knobs_->faults.size()));
  std::optional<Fault> first;
  for (std::size_t i = 0; i < knobs_->faults.size(); ++i) {
    const Fault& fault = knobs_->faults[i];
    if (!fault.verb.empty() && fault.verb != command.verb) continue;
    if (!fault.message.any() && !(listed && fault.message.matches(number, uid))) continue;
    ++fault_matches_[i];
    if (!first && (fault.nth == 0 || fault.nth == fault_matches_[i])) first = fault;
  }
  return first;
}

void MaildropSession::answer_capa() {
  if (!knobs_->capa) return reply("-ERR unknown command");
  std::vector<std::string> list;
  if (maildrop_ != nullptr && knobs_->capabilities_after_login) {
    list = *knobs_->capabilities_after_login;
  } else if (knobs_->capabilities) {
    list = *knobs_->capabilities;
  } else {
    list = {"RESP-CODES", "AUTH-RESP-CODE"};
    if (knobs_->clear_login || connection_.tls()) list.insert(list.end(), {"USER", "SASL PLAIN"});
    if (knobs_->stls && state_.tls_mode == ServerTls::stls && !connection_.tls()) list.emplace_back("STLS");
    if (knobs_->uidl && knobs_->uidl_announced) list.emplace_back("UIDL");
    if (knobs_->top) list.emplace_back("TOP");
    if (knobs_->pipelining) list.emplace_back("PIPELINING");
    if (knobs_->login_delay) list.push_back("LOGIN-DELAY " + *knobs_->login_delay);
    if (knobs_->expire) list.push_back("EXPIRE " + *knobs_->expire);
    list.emplace_back("IMPLEMENTATION popsync-maildrop-server");
  }
  reply("+OK capability list follows");
  for (const std::string& capability : list) reply(capability);
  reply(".");
}

// The handshake itself; for implicit TLS and behind STLS's +OK.
void MaildropSession::start_tls() {
  TlsContext context;
  {
    const std::lock_guard lock(state_.mutex);
    context = state_.tls;
  }
  if (context == nullptr || !connection_.handshake(context)) {
    over_ = true;
    return connection_.drop();
  }
  const std::lock_guard lock(state_.mutex);
  ++state_.record.tls_handshakes;
  if (connection_.tls_resumed()) ++state_.record.tls_resumed;
  state_.changed.notify_all();
}

void MaildropSession::reply(std::string_view line) {
  connection_.queue(line);
  connection_.queue("\r\n");
}

}  // namespace popsync::test
