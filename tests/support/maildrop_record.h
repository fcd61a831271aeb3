// SPDX-License-Identifier: MIT
// What a MaildropServer has seen and done so far: plain data, a copy or a reference under the server's lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::test {

struct ReceivedCommand {
  std::size_t session = 0;  // 1 is the first connection
  std::string line;         // as sent, without CRLF; SASL responses too
  bool in_clear = true;
};

struct ReceivedCredential {
  std::size_t session = 0;
  std::string mechanism;  // "USER", "APOP", "PLAIN"
  std::string user;
  std::string secret;    // APOP: the digest
  bool in_clear = true;  // the connection was not under TLS
  bool accepted = false;
};

struct RemovedMessage {
  std::string user;
  std::string uid;
  std::string octets;
};

struct MaildropRecord {
  std::size_t sessions = 0;         // connections accepted so far
  std::size_t open_sessions = 0;    // still there
  std::size_t logins = 0;           // successful ones
  std::size_t quits = 0;            // sessions that reached UPDATE and committed
  std::size_t in_use_refusals = 0;  // logins answered [IN-USE]
  std::size_t stalled = 0;          // RETRs that wait for release_stalled() now
  std::size_t sent_ahead = 0;       // commands that had arrived before the reply to the previous one was sent
  std::size_t tls_handshakes = 0;   // completed
  std::size_t tls_resumed = 0;      // of these with a resumed session
  std::uint64_t octets_sent = 0;    // content of RETR, stuffed
  std::vector<ReceivedCommand> commands;
  std::vector<ReceivedCredential> credentials;
  std::vector<RemovedMessage> removed;           // in the order of removal
  std::map<std::string, std::size_t> retrieved;  // unique-id -> RETRs answered to the end

  // Commands with this verb (upper case), in all sessions or in one.
  [[nodiscard]] std::size_t count(std::string_view verb, std::size_t session = 0) const {
    return static_cast<std::size_t>(std::count_if(commands.begin(), commands.end(), [&](const ReceivedCommand& command) {
      return (session == 0 || command.session == session) && command.line.substr(0, command.line.find(' ')) == verb;
    }));
  }
  [[nodiscard]] std::vector<std::string> lines(std::size_t session) const {
    std::vector<std::string> found;
    for (const ReceivedCommand& command : commands) {
      if (command.session == session) found.push_back(command.line);
    }
    return found;
  }
  [[nodiscard]] std::size_t retrievals(const std::string& uid) const {
    const auto found = retrieved.find(uid);
    return found == retrieved.end() ? 0 : found->second;
  }
  [[nodiscard]] bool was_removed(std::string_view uid) const {
    return std::any_of(removed.begin(), removed.end(), [&](const RemovedMessage& message) { return message.uid == uid; });
  }
  // A password crossed the network unencrypted.
  [[nodiscard]] bool secret_in_clear() const {
    return std::any_of(credentials.begin(), credentials.end(), [](const ReceivedCredential& credential) { return credential.in_clear; });
  }
};

}  // namespace popsync::test
