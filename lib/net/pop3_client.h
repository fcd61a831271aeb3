// SPDX-License-Identifier: MIT
// The steps of a session in the order of RFC 1939: greeting, CAPA, STLS, login, then what the TRANSACTION state offers. No step is taken by a
// destructor; in particular QUIT, which makes the server delete, is sent by quit() alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
};

// The octets of a secret for the time of a login; letting `owner` go may wipe them.
struct LentSecret {
  LentSecret(std::string_view lent, std::shared_ptr<const void> held = {}) : octets(lent), owner(std::move(held)) {}  // NOLINT: of octets that stay
  std::string_view octets;
  std::shared_ptr<const void> owner;
};
// Called when the gate is about to be passed.
using SecretProvider = std::function<LentSecret()>;

struct MaildropListing {
  std::vector<pop3::ListingEntry> entries;  // in the order of message-numbers
  bool unique_ids = true;                   // false: the server has no UIDL
  std::size_t unusable_lines = 0;
  bool complete = true;            // false: some messages only; what is not here may be there
  bool answers_unique_id = false;  // UIDL 1 was asked beside it, and answered with the same unique-id
};

enum class Beside { nothing, unique_id };

// Of a partial listing: its commands must fit the server's receive buffer, and beyond some hundred messages the complete one is no dearer.
constexpr std::uint32_t kListedOneByOneMax = 256;

// What a server announced in an earlier session over the same kind of connection. It saves the question, and nothing else: STLS is sent in any case,
// and the credential gate judges the connection that is there.
struct KnownServer {
  pop3::Capabilities before_login;
  pop3::Capabilities after_login;
};

// The drop listing and one unique-id: all that a poll needs to know when nothing has changed.
struct Glance {
  std::optional<pop3::DropListing> drop;  // empty: STAT was refused or gave no number
  pop3::UniqueId last;                    // empty: no message has that number, or nobody asked
};

struct Opening {
  std::optional<KnownServer> known = {};
  bool ahead = false;                                 // what follows the login may be sent with it, if the known server pipelines before login
  std::optional<pop3::MessageNumber> glance_at = {};  // will be asked for by glance(); 0: of an empty maildrop
};

class Pop3Client {
 public:
  Pop3Client(Transport& transport, const Clock& clock, Trace trace, const Patience& patience = {});

  // Greeting to TRANSACTION state. Errors: greeting_refused, in_use, login_delay, server_temporary, server_permanent, login_refused, tls_failed,
  // insecure_login, and those of the transport. Nothing of the credential is sent before the gate has said yes.
  void open(const LoginOptions& options, const SecretProvider& secret, const Opening& opening = {});

  // STAT, and UIDL of the message with this number (0: of none). Answered at once if it was sent with the login.
  Glance glance(pop3::MessageNumber last);

  // UIDL and LIST, in one write where PIPELINING holds; `beside` them UIDL 1 then. `meanwhile` is called while the answers are under way. UIDL
  // refused although it was announced is server_temporary, not "no UIDL". A refusal that says "no messages" where STAT says 0 is an empty maildrop;
  // a server that is known for it is asked STAT first, and then perhaps nothing else. `told`: what STAT said in this session.
  MaildropListing listing(Beside beside = Beside::nothing, const std::function<void()>& meanwhile = {},
                          const std::optional<pop3::DropListing>& told = {});
  // The same of some messages only, by UIDL n and LIST n. At most kListedOneByOneMax. Empty if an answer is not what was asked for.
  std::optional<MaildropListing> listing_of(pop3::MessageNumber first, std::uint32_t count);
  pop3::DropListing stat();
  // Headers and `lines` lines of the body; empty if the server has no TOP for us.
  std::optional<std::string> top(pop3::MessageNumber number, std::uint32_t lines);
  // Marks messages for deletion at QUIT. For each number: was it answered +OK. -ERR (gone already) is no Error.
  std::vector<bool> dele(const std::vector<pop3::MessageNumber>& numbers);
  // Takes back all marks, also those that a RETR set on servers that delete what was read.
  void rset();
  void noop();
  // RETR or TOP was sent: what a server does with messages that were read, QUIT makes it do. RSET takes it back on some.
  [[nodiscard]] bool has_read() { return connection_.session().has_read(); }
  // The commit point. With `await_reply` true if the server said +OK; false: refused, silent or gone, the next listing decides.
  bool quit(bool await_reply);

  [[nodiscard]] const pop3::Capabilities& capabilities() const { return capabilities_; }
  [[nodiscard]] const pop3::Capabilities& capabilities_before_login() const { return before_login_; }
  // True if the capabilities are those of this session; false if they are the known server's.
  [[nodiscard]] bool asked_capabilities() const { return !known_; }
  // True while the answer to CAPA is missing: some servers hang up instead.
  [[nodiscard]] bool asking_capabilities() const { return asking_capabilities_; }
  // True while nothing is missing but the answer to UIDL 1 beside a listing, or something came behind it: some servers hang up, or answer with a
  // list.
  [[nodiscard]] bool asking_unique_id() { return asking_unique_id_ && connection_.session().outstanding() <= 1; }
  // True while answers are missing to what was sent together with the login.
  [[nodiscard]] bool ahead_of_login() const { return ahead_of_login_; }
  // True if something was sent together with the login in this session.
  [[nodiscard]] bool went_ahead() const { return went_ahead_; }
  [[nodiscard]] bool pipelining() const { return pipelining_; }
  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  Reply await_greeting(TlsMode tls);
  void ask_capabilities();
  void start_tls();
  void log_in(const LoginOptions& options, const SecretProvider& secret, const Opening& opening);
  auth::LoginCommands login_commands(const auth::LoginRequest& request, const SecretProvider& secret);
  pop3::StatusLine say_in_turn(const auth::LoginCommands& commands);
  pop3::StatusLine say_ahead(const auth::LoginCommands& commands, const std::optional<pop3::MessageNumber>& glance_at);
  bool announces_other_logins();
  std::vector<pop3::StatusLine> ask(const std::vector<pop3::Command>& commands);
  bool is_empty(const std::optional<pop3::DropListing>& told);
  void ask_for_listing(pop3::ReplySink& sink, Beside beside, const std::function<void()>& meanwhile);

  Connection connection_;
  std::string greeting_text_;
  std::optional<KnownServer> known_;
  pop3::Capabilities before_login_;
  pop3::Capabilities capabilities_;
  bool pipelining_ = false;
  bool asking_capabilities_ = false;
  bool asking_unique_id_ = false;
  bool ahead_of_login_ = false;
  bool went_ahead_ = false;
  bool lost_behind_refusal_ = false;  // a login was refused, and then the connection broke or fell out of step
  std::optional<Glance> glance_;      // came with the login
};

}  // namespace popsync::net
