// SPDX-License-Identifier: MIT
// The steps of a session in the order of RFC 1939: greeting, CAPA, STLS, login, then what the TRANSACTION state offers. No step is taken by a
// destructor; in particular QUIT, which makes the server delete, is sent by quit() alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "auth/credential_gate.h"
#include "net/connection.h"
#include "pop3/capabilities.h"
#include "pop3/listing.h"

namespace popsync::net {

enum class Pipelining { automatic, on, off };

struct LoginOptions {
  TlsMode tls = TlsMode::implicit;
  auth::Method method = auth::Method::automatic;
  bool allow_insecure_auth = false;
  std::string user;
  Pipelining pipelining = Pipelining::automatic;
  bool ask_capabilities = true;  // false for a server that hangs up on CAPA
};

// Gives the secret when the gate is about to be passed; the view is used up before the next call.
using SecretProvider = std::function<std::string_view()>;

struct MaildropListing {
  std::vector<pop3::ListingEntry> entries;  // in the order of message-numbers
  bool unique_ids = true;                   // false: the server has no UIDL
  std::size_t unusable_lines = 0;
};

class Pop3Client {
 public:
  Pop3Client(Transport& transport, const Clock& clock, Trace trace, const Patience& patience = {});

  // Greeting to TRANSACTION state. Errors: greeting_refused, in_use, login_delay, server_temporary, server_permanent, login_refused, tls_failed,
  // insecure_login, and those of the transport. Nothing of the credential is sent before the gate has said yes.
  void open(const LoginOptions& options, const SecretProvider& secret);

  // True if the connection was lost where CAPA waited for its answer: servers that know no CAPA should say -ERR, a few hang up.
  [[nodiscard]] bool lost_at_capa() const { return lost_at_capa_; }

  // UIDL and LIST, in one write where PIPELINING holds. UIDL refused although it was announced is server_temporary, not "no UIDL".
  MaildropListing listing();
  pop3::DropListing stat();
  // Headers and `lines` lines of the body; empty if the server has no TOP for us.
  std::optional<std::string> top(pop3::MessageNumber number, std::uint32_t lines);
  // Marks messages for deletion at QUIT. For each number: was it answered +OK. -ERR (gone already) is no Error.
  std::vector<bool> dele(const std::vector<pop3::MessageNumber>& numbers);
  // Takes back all marks, also those that a RETR set on servers that delete what was read.
  void rset();
  void noop();
  // The commit point. With `await_reply` true if the server said +OK; false: refused, silent or gone, the next listing decides.
  bool quit(bool await_reply);

  [[nodiscard]] const pop3::Capabilities& capabilities() const { return capabilities_; }
  [[nodiscard]] bool pipelining() const { return pipelining_; }
  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  Reply await_greeting(TlsMode tls);
  void ask_capabilities();
  void start_tls(const LoginOptions& options);
  void log_in(const LoginOptions& options, const SecretProvider& secret);

  Connection connection_;
  std::string greeting_text_;
  pop3::Capabilities capabilities_;
  bool pipelining_ = false;
  bool lost_at_capa_ = false;
};

}  // namespace popsync::net
