// SPDX-License-Identifier: MIT
// The AUTHORIZATION state of a MaildropSession: USER and PASS, APOP, AUTH PLAIN, STLS, and the exclusive lock that a login takes.
#include <openssl/evp.h>

#include <utility>

#include "base/digest.h"
#include "support/maildrop_session.h"

namespace popsync::test {

namespace {

// How long a login waits for the session of a client that has hung up to notice it.
constexpr std::chrono::seconds kTakeOver{5};

std::optional<std::string> from_base64(const std::string& text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string octets(text.size() / 4 * 3, '\0');
  const int count = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(octets.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()));
  if (count < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  octets.resize(static_cast<std::size_t>(count) - padding);
  return octets;
}

}  // namespace

void MaildropSession::authorize(const Command& command) {
  const bool refuses_clear = !knobs_->clear_login && !connection_.tls();
  if (command.verb == "USER") {
    if (refuses_clear) return reply("-ERR [AUTH] clear-text login needs TLS");
    user_ = command.argument;
    return reply("+OK send PASS");
  }
  if (command.verb == "PASS") {
    if (refuses_clear) return reply("-ERR [AUTH] clear-text login needs TLS");
    return user_.empty() ? reply("-ERR USER first") : login_with_password(command.argument);
  }
  if (command.verb == "APOP" && !timestamp_.empty()) return login_with_apop(command.argument);
  if (command.verb == "AUTH") {
    if (refuses_clear) return reply("-ERR [AUTH] clear-text login needs TLS");
    return login_with_sasl(command.argument);
  }
  if (command.verb == "STLS") {
    if (!knobs_->stls || state_.tls_mode != ServerTls::stls || connection_.tls()) return reply("-ERR not available");
    reply("+OK begin TLS");
    connection_.queue(knobs_->after_stls);
    if (knobs_->stall_handshake) {
      over_ = true;
      return connection_.drain();
    }
    user_.clear();
    return start_tls();
  }
  reply("-ERR not now, or not known");
}

void MaildropSession::login_with_password(const std::string& password) {
  bool right = false;
  {
    const std::lock_guard lock(state_.mutex);
    const auto found = state_.maildrops.find(user_);
    right = found != state_.maildrops.end() && found->second.password() == password;
  }
  finish_login("USER", user_, password, right);
}

// RFC 1939 section 7: name, MD5 over timestamp and secret.
void MaildropSession::login_with_apop(const std::string& argument) {
  const std::size_t space = argument.rfind(' ');
  if (space == std::string::npos) return reply("-ERR APOP name digest");
  const std::string user = argument.substr(0, space);
  const std::string digest = argument.substr(space + 1);
  bool right = false;
  {
    const std::lock_guard lock(state_.mutex);
    const auto found = state_.maildrops.find(user);
    right = found != state_.maildrops.end() && digest == md5_hex(timestamp_ + found->second.password());
  }
  finish_login("APOP", user, digest, right);
}

// RFC 5034; the one mechanism is PLAIN (RFC 4616), with or without initial response.
void MaildropSession::login_with_sasl(const std::string& argument) {
  if (argument.empty()) {
    reply("+OK mechanisms follow");
    reply("PLAIN");
    return reply(".");
  }
  const std::size_t space = argument.find(' ');
  const std::string mechanism = argument.substr(0, space);
  if (mechanism != "PLAIN" && mechanism != "plain") return reply("-ERR no such mechanism");
  std::optional<std::string> response;
  if (space != std::string::npos) {
    response = argument.substr(space + 1);
  } else {
    reply("+ ");
    response = next_line();
    if (!response) {
      over_ = true;
      return connection_.drop();
    }
  }
  if (*response == "*") return reply("-ERR cancelled");
  const std::optional<std::string> decoded = from_base64(*response);
  const std::size_t first = decoded ? decoded->find('\0') : std::string::npos;
  const std::size_t second = first == std::string::npos ? first : decoded->find('\0', first + 1);
  if (second == std::string::npos) return reply("-ERR malformed response");
  const std::string user = decoded->substr(first + 1, second - first - 1);
  const std::string password = decoded->substr(second + 1);
  bool right = false;
  {
    const std::lock_guard lock(state_.mutex);
    const auto found = state_.maildrops.find(user);
    right = found != state_.maildrops.end() && found->second.password() == password;
  }
  finish_login("PLAIN", user, password, right);
}

void MaildropSession::finish_login(const std::string& mechanism, const std::string& user, const std::string& secret, bool right) {
  const bool locked = right && lock_maildrop(user);
  {
    const std::lock_guard lock(state_.mutex);
    state_.record.credentials.push_back(
        {.session = number_, .mechanism = mechanism, .user = user, .secret = secret, .in_clear = !connection_.tls(), .accepted = right});
    if (locked) ++state_.record.logins;
    if (right && !locked) ++state_.record.in_use_refusals;
    state_.changed.notify_all();
  }
  if (!right) {
    user_.clear();
    return reply("-ERR [AUTH] wrong user or password");
  }
  if (!locked) return reply("-ERR [IN-USE] another session holds the maildrop");
  user_ = user;
  reply("+OK maildrop has " + std::to_string(listing_.size()) + " messages");
}

bool MaildropSession::lock_maildrop(const std::string& user) {
  std::unique_lock lock(state_.mutex);
  Maildrop& maildrop = state_.maildrops.at(user);
  if (maildrop.holder() != nullptr && maildrop.holder()->peer_closed()) {
    maildrop.holder()->hurry();
    state_.changed.notify_all();
    state_.changed.wait_for(lock, kTakeOver, [&] { return maildrop.holder() == nullptr || state_.stopping || connection_.hurried(); });
  }
  if (maildrop.holder() != nullptr) return false;
  maildrop.set_holder(&connection_);
  maildrop_ = &maildrop;
  listing_ = knobs_->empty_listing ? std::vector<ListedMessage>{} : maildrop.listing();
  return true;
}

void MaildropSession::unlock_maildrop() {
  const std::lock_guard lock(state_.mutex);
  if (maildrop_ == nullptr) return;
  maildrop_->set_holder(nullptr);
  maildrop_ = nullptr;
  state_.changed.notify_all();
}

}  // namespace popsync::test
