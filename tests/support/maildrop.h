// SPDX-License-Identifier: MIT
// One user's mail on a MaildropServer: messages in the order of their arrival, and the session that holds the lock. Guarded by the server's mutex,
// but for a message's octets, which never change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace popsync::test {

class Connection;

struct StoredMessage {
  std::string uid;
  std::string octets;   // as added
  bool hidden = false;  // no longer listed
};

// A message as one session sees it: message-number = place in the session's listing + 1.
struct ListedMessage {
  std::shared_ptr<StoredMessage> stored;
  std::string uid;         // at login; a migration meanwhile does not change it
  std::uint64_t size = 0;  // on the wire, not stuffed
  bool deleted = false;    // marked: invisible in this session
  bool removable = false;  // to be removed at QUIT
  bool retrieved = false;
};

class Maildrop {
 public:
  void set_password(std::string password) { password_ = std::move(password); }
  [[nodiscard]] const std::string& password() const { return password_; }

  void add(std::string octets, std::string uid);
  bool remove(const std::string& uid);
  // Takes the messages out and gives them in the order of the maildrop.
  std::vector<std::shared_ptr<StoredMessage>> remove(const std::set<const StoredMessage*>& doomed);
  void unhide();
  [[nodiscard]] const std::vector<std::shared_ptr<StoredMessage>>& messages() const { return messages_; }
  [[nodiscard]] std::vector<ListedMessage> listing() const;

  // The exclusive lock (RFC 1939 section 4).
  [[nodiscard]] Connection* holder() const { return holder_; }
  void set_holder(Connection* holder) { holder_ = holder; }

 private:
  std::string password_;
  std::vector<std::shared_ptr<StoredMessage>> messages_;
  Connection* holder_ = nullptr;
};

}  // namespace popsync::test
