// SPDX-License-Identifier: MIT
// A true little POP3 server on 127.0.0.1: RFC 1939 whole, CAPA (RFC 2449), STLS (RFC 2595), AUTH PLAIN (RFC 5034), PIPELINING, implicit TLS. A
// maildrop is locked by one session; DELE marks, QUIT removes, a lost connection drops the marks. A thread for each connection. It misbehaves as
// MaildropKnobs say and remembers everything (MaildropRecord). Every function may be called from any thread at any time, also while sessions run.
// Where the client that holds a maildrop has closed its connection already, a new login waits for the server to notice, so that a test which
// reconnects at once never meets [IN-USE] by chance.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/certificates.h"
#include "support/maildrop_knobs.h"
#include "support/maildrop_record.h"

namespace popsync::test {

enum class ServerTls { none, stls, implicit };

struct MaildropServerOptions {
  std::uint16_t port = 0;  // 0: any free port
  ServerTls tls = ServerTls::none;
  CertificateFiles certificate = {};  // for stls and implicit
  bool old_tls_only = false;          // offers TLS 1.1 at most
};

class MaildropServer {
 public:
  static constexpr const char* kUser = "alice";
  static constexpr const char* kPassword = "open-sesame";

  // Listens and serves; the maildrop of kUser with kPassword exists. Throws std::system_error if the port cannot be had.
  explicit MaildropServer(MaildropServerOptions options = {}, MaildropKnobs knobs = {});
  MaildropServer(const MaildropServer&) = delete;
  MaildropServer& operator=(const MaildropServer&) = delete;
  // Ends every session as a lost connection does.
  ~MaildropServer();

  [[nodiscard]] std::uint16_t port() const;

  // Maildrops
  void add_user(const std::string& user, const std::string& password);  // or a new password
  // Octets are the message as RETR sends it before byte-stuffing: CRLF at line ends, anything else byte for byte. Visible from the next login on.
  // Gives the unique-id: `uid`, or one of our own that was never used before in this server.
  std::string add(std::string octets, std::optional<std::string> uid = {});
  std::string add_to(const std::string& user, std::string octets, std::optional<std::string> uid = {});
  // Removes as another client would, while no session sees it. False if there is none.
  bool remove(const std::string& uid, const std::string& user = kUser);
  // Gives every message a new unique-id, as a migration does; in the order of the maildrop.
  std::vector<std::string> rekey(const std::string& user = kUser);
  // Unique-ids and octets of what is in the maildrop now, hidden messages included, in order.
  [[nodiscard]] std::vector<std::string> uids(const std::string& user = kUser) const;
  [[nodiscard]] std::vector<std::string> messages(const std::string& user = kUser) const;
  [[nodiscard]] std::size_t count(const std::string& user = kUser) const;
  // Lists the hidden messages (hide_retrieved) again.
  void unhide(const std::string& user = kUser);

  // Behaviour
  [[nodiscard]] MaildropKnobs knobs() const;
  void set_knobs(MaildropKnobs knobs);
  void change(const std::function<void(MaildropKnobs&)>& edit);
  void use_certificate(const CertificateFiles& certificate);  // for connections from now on
  void release_stalled();                                     // every RETR that waits; the knob `stall` is cleared
  void disconnect_all();                                      // as a crash of the server would

  // Record
  [[nodiscard]] MaildropRecord record() const;
  void clear_record();  // all but open_sessions and stalled; session numbers go on
  // True once the predicate holds; false if it does not within `timeout`. It is called under the server's lock: it must not call the server.
  bool wait_for(const std::function<bool(const MaildropRecord&)>& predicate, std::chrono::milliseconds timeout = std::chrono::seconds(20)) const;

 private:
  class Running;
  std::unique_ptr<Running> running_;
};

}  // namespace popsync::test
