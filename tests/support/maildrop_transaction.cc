// SPDX-License-Identifier: MIT
// The TRANSACTION and UPDATE states of a MaildropSession.
#include <algorithm>
#include <charconv>

#include "support/maildrop_session.h"
#include "support/message_corpus.h"

namespace popsync::test {

namespace {

// Header, empty line and the first `lines` lines of the body (RFC 1939 section 7, TOP).
std::string_view top_of(std::string_view message, std::size_t lines) {
  const std::size_t header_end = message.find("\r\n\r\n");
  if (header_end == std::string_view::npos) return message;
  std::size_t end = header_end + 4;
  for (; lines > 0 && end < message.size(); --lines) {
    const std::size_t line_end = message.find("\r\n", end);
    end = line_end == std::string_view::npos ? message.size() : line_end + 2;
  }
  return message.substr(0, end);
}

std::string unstuffed_on_wire(const std::string& message) { return message + (message.empty() || message.ends_with("\r\n") ? "" : "\r\n") + ".\r\n"; }

}  // namespace

void MaildropSession::transact(const Command& command) {
  if (command.verb == "STAT") return answer_stat();
  if (command.verb == "LIST") return answer_list(command.argument);
  if (command.verb == "UIDL" && knobs_->uidl) return answer_uidl(command.argument);
  if (command.verb == "RETR") return answer_retr(command.argument);
  if (command.verb == "TOP" && knobs_->top) return answer_top(command.argument);
  if (command.verb == "DELE") return mark_deleted(command.argument);
  if (command.verb == "RSET") return unmark_all();
  if (command.verb == "NOOP") return reply("+OK");
  reply("-ERR not now, or not known");
}

void MaildropSession::answer_stat() {
  if (knobs_->stat_reply) return reply(*knobs_->stat_reply);
  std::size_t count = 0;
  std::uint64_t octets = 0;
  for (const ListedMessage& message : listing_) {
    if (message.deleted) continue;
    ++count;
    octets += message.size;
  }
  reply("+OK " + std::to_string(count) + " " + std::to_string(octets));
}

void MaildropSession::answer_list(const std::string& argument) {
  answer_scan(argument, knobs_->list_lines,
              [this](const ListedMessage& message) { return knobs_->list_size ? knobs_->list_size(message.size) : std::to_string(message.size); });
}

void MaildropSession::answer_uidl(const std::string& argument) {
  answer_scan(argument, knobs_->uidl_lines, [](const ListedMessage& message) { return message.uid; });
}

void MaildropSession::answer_scan(const std::string& argument, const std::map<int, std::string>& overrides,
                                  const std::function<std::string(const ListedMessage&)>& value) {
  const auto line_of = [&](int number, const ListedMessage& message) {
    const auto found = overrides.find(number);
    return found == overrides.end() ? std::to_string(number) + " " + value(message) : found->second;
  };
  if (!argument.empty()) {
    const ListedMessage* message = find(argument);
    if (message == nullptr) return;
    const std::string line = line_of(static_cast<int>(message - listing_.data()) + 1, *message);
    return reply(line.empty() ? "-ERR no such message" : "+OK " + line);
  }
  reply("+OK listing follows");
  int number = 0;
  for (const ListedMessage& message : listing_) {
    ++number;
    if (message.deleted) continue;
    const std::string line = line_of(number, message);
    if (!line.empty()) reply(line);
  }
  reply(".");
}

void MaildropSession::answer_retr(const std::string& argument) {
  ListedMessage* message = find(argument);
  if (message == nullptr) return;
  if (knobs_->retr_max && retrs_ >= *knobs_->retr_max) return reply("-ERR download limit of this session reached");
  ++retrs_;
  reply("+OK " + std::to_string(message->size) + " octets");
  send_content(static_cast<int>(message - listing_.data()) + 1, *message);
  if (over_) return;
  message->retrieved = true;
  const std::lock_guard lock(state_.mutex);
  ++state_.record.retrieved[message->uid];
  state_.changed.notify_all();
}

void MaildropSession::answer_top(const std::string& argument) {
  const std::size_t space = argument.find(' ');
  std::size_t lines = 0;
  const char* end = argument.data() + argument.size();
  if (space == std::string::npos || std::from_chars(argument.data() + space + 1, end, lines).ptr != end) return reply("-ERR TOP message lines");
  const ListedMessage* message = find(std::string_view(argument).substr(0, space));
  if (message == nullptr) return;
  reply("+OK top of message follows");
  const std::string_view top = top_of(message->stored->octets, lines);
  connection_.queue(octets_on_wire(knobs_->top_text ? knobs_->top_text(std::string(top)) : std::string(top)));
}

void MaildropSession::mark_deleted(const std::string& argument) {
  ListedMessage* message = find(argument);
  if (message == nullptr) return;
  message->deleted = true;
  message->removable = !knobs_->dele_ignored;
  reply("+OK marked");
}

void MaildropSession::unmark_all() {
  for (ListedMessage& message : listing_) message.deleted = message.removable = false;
  reply("+OK");
}

// The reply comes after the lock is free, so that a client that reads it may log in again at once.
void MaildropSession::quit() {
  over_ = true;
  const QuitBehaviour behaviour = maildrop_ == nullptr ? QuitBehaviour::normal : knobs_->quit;
  const bool commits = behaviour == QuitBehaviour::normal || behaviour == QuitBehaviour::drop_after_commit ||
                       behaviour == QuitBehaviour::error_after_commit || behaviour == QuitBehaviour::no_answer;
  if (maildrop_ != nullptr && commits) commit();
  unlock_maildrop();
  switch (behaviour) {
    case QuitBehaviour::normal:
    case QuitBehaviour::ok_without_commit: reply("+OK bye"); break;
    case QuitBehaviour::error_before_commit:
    case QuitBehaviour::error_after_commit: reply("-ERR some deleted messages not removed"); break;
    case QuitBehaviour::drop_before_commit:
    case QuitBehaviour::drop_after_commit: return connection_.drop();
    case QuitBehaviour::no_answer: return connection_.drain();
  }
  connection_.end(knobs_->close_notify);
}

void MaildropSession::commit() {
  const std::lock_guard lock(state_.mutex);
  std::set<const StoredMessage*> doomed;
  for (const ListedMessage& message : listing_) {
    if (message.removable) doomed.insert(message.stored.get());
    if (message.retrieved && knobs_->hide_retrieved) message.stored->hidden = true;
  }
  for (const auto& stored : maildrop_->remove(doomed)) {
    state_.record.removed.push_back({.user = user_, .uid = stored->uid, .octets = stored->octets});
  }
  ++state_.record.quits;
  state_.changed.notify_all();
}

// The body of RETR with its termination octets, as far as the knobs let it get.
void MaildropSession::send_content(int number, const ListedMessage& message) {
  const auto concerns = [&](const MessageRef& ref) { return ref.matches(number, message.uid); };
  const bool stuffs = std::none_of(knobs_->unstuffed.begin(), knobs_->unstuffed.end(), concerns);
  const std::string content = stuffs ? octets_on_wire(message.stored->octets) : unstuffed_on_wire(message.stored->octets);

  std::uint64_t end = content.size();
  bool cuts = false;
  if (knobs_->cut && concerns(knobs_->cut->message)) {
    const std::uint64_t sent_before = knobs_->cut->message.any() ? content_sent_ : 0;
    cuts = knobs_->cut->octets <= sent_before + content.size();
    if (cuts) end = knobs_->cut->octets - std::min(knobs_->cut->octets, sent_before);
  }
  std::uint64_t begin = 0;
  if (knobs_->stall && concerns(knobs_->stall->message) && knobs_->stall->octets <= end) {
    begin = knobs_->stall->octets;
    connection_.queue(std::string_view(content).substr(0, begin));
    connection_.flush();
    wait_while_stalled();
  }
  connection_.queue(std::string_view(content).substr(begin, end - begin));
  content_sent_ += end;
  {
    const std::lock_guard lock(state_.mutex);
    state_.record.octets_sent += end;
  }
  if (!cuts) return;
  over_ = true;
  connection_.flush();
  if (knobs_->cut->reset) return connection_.reset();
  connection_.drop();
}

void MaildropSession::wait_while_stalled() {
  std::unique_lock lock(state_.mutex);
  const std::uint64_t releases = state_.stall_releases;
  ++state_.record.stalled;
  state_.changed.notify_all();
  state_.changed.wait(lock, [&] { return state_.stall_releases != releases || state_.stopping || connection_.hurried(); });
  --state_.record.stalled;
}

ListedMessage* MaildropSession::find(std::string_view number) {
  std::size_t value = 0;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, value);
  if (error == std::errc() && stop == end && value >= 1 && value <= listing_.size() && !listing_[value - 1].deleted) return &listing_[value - 1];
  reply("-ERR no such message");
  return nullptr;
}

}  // namespace popsync::test
