// SPDX-License-Identifier: MIT
// One connection of a MaildropServer, from the greeting to its end: RFC 1939's three states. Runs in a thread of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/maildrop_state.h"

namespace popsync::test {

class MaildropSession {
 public:
  // Both outlive the session; `connection` is registered in `state`.
  MaildropSession(MaildropState& state, Connection& connection, std::size_t number);
  MaildropSession(const MaildropSession&) = delete;
  MaildropSession& operator=(const MaildropSession&) = delete;
  // Frees the maildrop's lock; marks are forgotten.
  ~MaildropSession();

  void run();

 private:
  struct Command {
    std::string verb;      // upper case
    std::string argument;  // what follows the first space
  };

  bool open();
  std::optional<std::string> next_line();
  void obey(const Command& command);
  void carry_out(const Command& command);
  void authorize(const Command& command);
  void transact(const Command& command);
  std::optional<Fault> fault_at(const Command& command);

  void answer_capa();
  void start_tls();
  void login_with_password(const std::string& password);
  void login_with_apop(const std::string& argument);
  void login_with_sasl(const std::string& argument);
  void finish_login(const std::string& mechanism, const std::string& user, const std::string& secret, bool right);
  bool lock_maildrop(const std::string& user);
  void unlock_maildrop();

  void answer_stat();
  void answer_list(const std::string& argument);
  void answer_uidl(const std::string& argument);
  void answer_retr(const std::string& argument);
  void answer_top(const std::string& argument);
  void mark_deleted(const std::string& argument);
  void unmark_all();
  void quit();
  void commit();

  void send_content(int number, const ListedMessage& message);
  void wait_while_stalled();
  // The message of that number if it is there and not marked; else nullptr, and -ERR was sent.
  ListedMessage* find(std::string_view number);
  void reply(std::string_view line);
  void answer_scan(const std::string& argument, const std::map<int, std::string>& overrides,
                   const std::function<std::string(const ListedMessage&)>& value);

  MaildropState& state_;
  Connection& connection_;
  std::size_t number_;
  std::shared_ptr<const MaildropKnobs> knobs_;  // as of the current command
  std::string timestamp_;                       // APOP's; empty: not offered
  std::string user_;                            // named by USER, or logged in
  Maildrop* maildrop_ = nullptr;                // locked by us: TRANSACTION state
  std::vector<ListedMessage> listing_;
  std::vector<std::size_t> fault_matches_;  // of each fault so far
  std::size_t commands_so_far_ = 0;         // of all sessions, when the current one came
  std::size_t retrs_ = 0;
  std::uint64_t content_sent_ = 0;
  bool over_ = false;
};

}  // namespace popsync::test
