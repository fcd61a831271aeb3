// SPDX-License-Identifier: MIT
#include "net/pop3_client.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "pop3/refusal_words.h"

namespace popsync::net {
namespace {

using pop3::Command;
using pop3::RefusedStep;
using pop3::StatusLine;
using pop3::Verb;

constexpr pop3::MessageNumber kFirst{1};

[[noreturn]] void refuse(const StatusLine& line, RefusedStep step, const std::string& what, const std::string& hint = {}) {
  throw Error(pop3::classify_refusal(line, step), what + ": " + pop3::quoted(line), hint);
}

std::string login_hint(ErrorCode code, const StatusLine& answer) {
  if (code == ErrorCode::in_use) return "another program or device reads this maildrop; the next sync tries again";
  if (code == ErrorCode::server_temporary) return "the server takes no logins for now; the next sync tries again";
  if (code == ErrorCode::login_unclear)
    return "the server gives no reason: check user and password; if they are right it refuses logins for a while, and is tried again later";
  if (code != ErrorCode::login_refused) return "";
  const auto meaning = pop3::meaning_of(answer.text);
  if (meaning == pop3::RefusalMeaning::locked)
    return "the provider has locked the account: check the password, unlock the account on its web page, then use `popsync sync ACCOUNT`";
  if (meaning == pop3::RefusalMeaning::switched_off) return "switch POP3 on in the provider's settings, then use `popsync sync ACCOUNT`";
  return "check user and password; many providers want an app password for POP3, and POP3 switched on in their settings";
}

bool says_empty(const StatusLine& answer) { return !answer.ok() && answer.response_code.empty() && pop3::says_empty_maildrop(answer.text); }

// Takes the lines of UIDL and LIST as they come: a listing of a million messages is never held as text.
class ListingSink : public pop3::ReplySink {
 public:
  void status(Verb verb, pop3::MessageNumber /*number*/, const StatusLine& line) override {
    (verb == Verb::uidl ? uidl_ : verb == Verb::list ? list_ : uidl_one_) = line;
  }
  void line(Verb verb, std::string_view text) override {
    listed_ = true;
    if (verb == Verb::uidl) {
      builder_.add_unique_id_line(text);
    } else {
      builder_.add_scan_line(text);
    }
  }
  void body(pop3::MessageNumber /*number*/, std::string_view /*octets*/) override {}
  void end(Verb /*verb*/, pop3::MessageNumber /*number*/) override {}

  [[nodiscard]] const StatusLine& uidl() const { return uidl_; }
  [[nodiscard]] const StatusLine& list() const { return list_; }
  [[nodiscard]] const StatusLine& uidl_one() const { return uidl_one_; }
  // A line came, whatever it says.
  [[nodiscard]] bool listed() const { return listed_; }
  [[nodiscard]] MaildropListing finish(bool unique_ids) {
    return {.entries = builder_.finish(unique_ids), .unique_ids = unique_ids, .unusable_lines = builder_.unusable_lines()};
  }

 private:
  pop3::ListingBuilder builder_;
  bool listed_ = false;
  StatusLine uidl_;
  StatusLine list_;
  StatusLine uidl_one_;
};

// The answers to commands that are answered by one line each.
class StatusSink : public pop3::ReplySink {
 public:
  void status(Verb /*verb*/, pop3::MessageNumber /*number*/, const StatusLine& line) override { lines_.push_back(line); }
  void line(Verb /*verb*/, std::string_view /*text*/) override {}
  void body(pop3::MessageNumber /*number*/, std::string_view /*octets*/) override {}
  void end(Verb /*verb*/, pop3::MessageNumber /*number*/) override {}
  [[nodiscard]] const std::vector<StatusLine>& lines() const { return lines_; }

 private:
  std::vector<StatusLine> lines_;
};

std::vector<Command> glance_commands(pop3::MessageNumber last) {
  std::vector<Command> commands = {{.verb = Verb::stat, .argument = {}}};
  if (last.value > 0) commands.push_back({.verb = Verb::uidl_one, .argument = {}, .number = last});
  return commands;
}

// Empty unless the answer names that very message (protocol.md 68).
pop3::UniqueId unique_id_in(const StatusLine& answer, pop3::MessageNumber number) {
  const auto line = answer.ok() ? pop3::parse_unique_id_line(answer.text) : std::nullopt;
  return line && line->number == number ? line->uid : pop3::UniqueId{};
}

Glance glance_from(pop3::MessageNumber last, std::span<const StatusLine> answers) {
  Glance glance;
  if (answers[0].ok()) glance.drop = pop3::parse_drop_listing(answers[0].text);
  if (last.value > 0) glance.last = unique_id_in(answers[1], last);
  return glance;
}

class DeleSink : public pop3::ReplySink {
 public:
  explicit DeleSink(std::vector<bool>& answers) : answers_(answers) {}
  void status(Verb /*verb*/, pop3::MessageNumber /*number*/, const StatusLine& line) override { answers_.push_back(line.ok()); }
  void line(Verb /*verb*/, std::string_view /*text*/) override {}
  void body(pop3::MessageNumber /*number*/, std::string_view /*octets*/) override {}
  void end(Verb /*verb*/, pop3::MessageNumber /*number*/) override {}

 private:
  std::vector<bool>& answers_;
};

// Also where the server is lost in the middle of the login.
struct WipedAtEnd {
  auth::LoginCommands& commands;
  ~WipedAtEnd() { auth::wipe(commands); }
};

}  // namespace

Pop3Client::Pop3Client(Transport& transport, const Clock& clock, Trace trace, const Patience& patience)
    : connection_(transport, clock, std::move(trace), patience) {}

void Pop3Client::open(const LoginOptions& options, const SecretProvider& secret, const Opening& opening) {
  const Reply greeting = await_greeting(options.tls);
  if (!greeting.status.ok()) refuse(greeting.status, RefusedStep::greeting, "the server refuses sessions");
  greeting_text_ = greeting.status.text;
  known_ = opening.known;
  if (!known_) ask_capabilities();
  if (options.tls == TlsMode::starttls) start_tls();
  if (known_) capabilities_ = known_->before_login;
  log_in(options, secret, opening);
  if (known_) {
    capabilities_ = known_->after_login;
  } else if (!capabilities_.pipelining || !capabilities_.uidl || !capabilities_.top) {
    ask_capabilities();  // some servers (Gmail) announce UIDL, TOP and PIPELINING only to those who have logged in
  }
  pipelining_ = options.pipelining == Pipelining::on || (options.pipelining == Pipelining::automatic && capabilities_.pipelining);
}

Reply Pop3Client::await_greeting(TlsMode tls) {
  try {
    return connection_.await_greeting();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout || tls == TlsMode::implicit) throw;
    throw Error(ErrorCode::timeout, "the server says nothing: " + error.message(), "if this port speaks TLS from the start, use tls = \"implicit\"");
  }
}

void Pop3Client::ask_capabilities() {
  asking_capabilities_ = true;
  const Reply reply = connection_.request({.verb = Verb::capa, .argument = {}});
  asking_capabilities_ = false;
  if (!reply.status.ok()) return;  // RFC 2449 is optional
  capabilities_ = {};
  capabilities_.announced = !reply.lines.empty();
  pop3::Capabilities to_show;
  for (const std::string& line : reply.lines) {
    capabilities_.add(line);
    to_show.add(connection_.shown(line));
  }
  // The server's own words reach a terminal; flags and numbers stay, lest a password such as "UIDL" hides one.
  capabilities_.implementation = std::move(to_show.implementation);
}

void Pop3Client::start_tls() {
  // A server without CAPA, or with an empty list, may still know STLS; one that lists its capabilities and leaves STLS out may have had it removed on
  // the way.
  if (capabilities_.announced && !capabilities_.stls) {
    throw Error(ErrorCode::tls_failed, "the server does not offer STLS (or someone on the way removed it): no user name or password was sent",
                "try tls = \"implicit\" (port 995)");
  }
  const Reply reply = connection_.request({.verb = Verb::stls, .argument = {}});
  if (!reply.status.ok()) {
    throw Error(ErrorCode::tls_failed, "the server refused STLS: " + pop3::quoted(reply.status) + "; no user name or password was sent",
                "try tls = \"implicit\" (port 995)");
  }
  connection_.transport().start_tls(system_clock().steady() + kTlsTimeout);
  connection_.session().tls_started();
  capabilities_ = {};  // RFC 2595 section 4: what was said in clear may be forged
  if (!known_) ask_capabilities();
}

void Pop3Client::log_in(const LoginOptions& options, const SecretProvider& secret, const Opening& opening) {
  before_login_ = capabilities_;
  const auth::LoginRequest request{.method = options.method,
                                   .connection_secure = connection_.transport().secure(),
                                   .allow_insecure_auth = options.allow_insecure_auth,
                                   .user = options.user,
                                   .greeting_text = greeting_text_,
                                   .capabilities = capabilities_};
  if (!request.connection_secure && !request.allow_insecure_auth) auth::pass_gate(request, {});
  auth::LoginCommands commands = login_commands(request, secret);
  const WipedAtEnd wiped{commands};
  // A response that waits for a challenge cannot be sent before it.
  const bool may_go_ahead = opening.ahead && known_ && before_login_.pipelining && options.pipelining != Pipelining::off &&
                            (!commands.second || commands.second_follows == pop3::Indicator::ok);
  const bool ahead = may_go_ahead && (commands.second || opening.glance_at);
  const StatusLine answer = ahead ? say_ahead(commands, opening.glance_at) : say_in_turn(commands);
  if (answer.ok()) return;
  // A refusal and a login beside each other: one of the answers belongs to something else, and what follows would be read wrongly.
  if (connection_.session().state() != pop3::SessionState::authorization) {
    throw Error(ErrorCode::desynchronised, "the server refused a part of the login and accepted it all the same: " + pop3::quoted(answer));
  }
  if (answer.indicator == pop3::Indicator::challenge) throw Error(ErrorCode::desynchronised, "the server asks on where the login was complete");
  const ErrorCode code = pop3::classify_refusal(answer, RefusedStep::login);
  const bool refused = refuses_login(code);
  if (refused && known_ && options.method == auth::Method::automatic && announces_other_logins()) {
    // It was not the password that was refused but a command that the server knows no more.
    known_.reset();
    return log_in(options, secret, opening);
  }
  throw Error(code, (refused ? "login as " + escaped(options.user) + " refused" : "login not possible now") + ": " + pop3::quoted(answer),
              login_hint(code, answer));
}

// The secret is given back before anything is sent: the answer may take a minute.
auth::LoginCommands Pop3Client::login_commands(const auth::LoginRequest& request, const SecretProvider& secret) {
  const LentSecret lent = secret();
  auth::LoginCommands commands = auth::pass_gate(request, lent.octets);
  connection_.hide(lent.octets);
  return commands;
}

StatusLine Pop3Client::say_in_turn(const auth::LoginCommands& commands) {
  StatusLine answer = connection_.request(commands.first).status;
  // PASS goes after +OK to USER; a SASL response only after a challenge: one server answers AUTH with +OK and means nothing by it.
  if (commands.second && answer.indicator == commands.second_follows) return connection_.request(*commands.second).status;
  if (commands.second && answer.ok()) {
    throw Error(ErrorCode::desynchronised, "the server accepted a login before it had the password: " + pop3::quoted(answer));
  }
  return answer;
}

// One write. Behind a refusal nothing but the refusal matters: a server that hangs up after a wrong password (protocol.md 42) must not look like a
// lost connection.
StatusLine Pop3Client::say_ahead(const auth::LoginCommands& commands, const std::optional<pop3::MessageNumber>& glance_at) {
  const std::size_t logins = commands.second ? 2 : 1;
  connection_.expect_silence();
  ahead_of_login_ = true;
  went_ahead_ = true;
  connection_.submit(commands.first);
  if (commands.second) connection_.submit(*commands.second);
  if (glance_at) {
    for (const Command& command : glance_commands(*glance_at)) connection_.submit(command);
  }
  connection_.flush();
  StatusSink sink;
  std::optional<Error> failure;
  try {
    connection_.receive_all(sink);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) throw;
    failure = error;
  }
  const std::span<const StatusLine> lines(sink.lines());
  for (const StatusLine& line : lines.first(std::min(logins, lines.size()))) {
    if (line.ok()) continue;
    lost_behind_refusal_ = failure.has_value();
    return line;
  }
  if (failure) throw Error(*failure);
  ahead_of_login_ = false;
  if (glance_at) glance_ = glance_from(*glance_at, lines.subspan(logins));
  return lines[logins - 1];
}

// After a refusal, with remembered capabilities: would the login be made of other commands if the server were asked now?
bool Pop3Client::announces_other_logins() {
  if (lost_behind_refusal_ || connection_.session().outstanding() > 0) return false;  // out of step
  try {
    ask_capabilities();
    return capabilities_.announced && capabilities_.sasl_plain != before_login_.sasl_plain;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) throw;
    return false;  // it has hung up: the refusal stands
  }
}

Glance Pop3Client::glance(pop3::MessageNumber last) {
  if (glance_) return *std::exchange(glance_, std::nullopt);
  return glance_from(last, ask(glance_commands(last)));
}

// Commands that are answered by one line each, in one write where PIPELINING holds.
std::vector<StatusLine> Pop3Client::ask(const std::vector<Command>& commands) {
  StatusSink sink;
  if (pipelining_) connection_.expect_silence();
  for (const Command& command : commands) {
    if (!pipelining_) connection_.expect_silence();
    connection_.submit(command);
    if (pipelining_) continue;
    connection_.flush();
    connection_.receive_all(sink);
  }
  connection_.flush();
  connection_.receive_all(sink);
  return sink.lines();
}

std::optional<MaildropListing> Pop3Client::listing_of(pop3::MessageNumber first, std::uint32_t count) {
  POPSYNC_ASSERT(count <= kListedOneByOneMax);
  std::vector<Command> commands;
  for (std::uint32_t number = first.value; number < first.value + count; ++number) {
    commands.push_back({.verb = Verb::uidl_one, .argument = {}, .number = {number}});
    commands.push_back({.verb = Verb::list_one, .argument = {}, .number = {number}});
  }
  const std::vector<StatusLine> answers = ask(commands);
  MaildropListing listing{.entries = {}, .complete = false};
  for (std::uint32_t i = 0; i < count; ++i) {
    const pop3::MessageNumber number{first.value + i};
    pop3::UniqueId uid = unique_id_in(answers[2 * i], number);
    const StatusLine& size = answers[2 * i + 1];
    const auto line = size.ok() ? pop3::parse_scan_line(size.text) : std::nullopt;
    if (uid.octets.empty() || !line || line->number != number) return std::nullopt;
    listing.entries.push_back({.number = number, .uid = std::move(uid), .list_size = line->size});
  }
  return listing;
}

MaildropListing Pop3Client::listing(Beside beside, const std::function<void()>& meanwhile, const std::optional<pop3::DropListing>& told) {
  if (capabilities_.refuses_empty && is_empty(told)) {
    if (meanwhile) meanwhile();
    return {};
  }
  ListingSink sink;
  ask_for_listing(sink, beside, meanwhile);
  // A mail store that is not there must not look like an empty maildrop: the words alone prove nothing.
  const bool empty = (says_empty(sink.list()) || says_empty(sink.uidl())) && !sink.listed() && is_empty(told);
  if (empty) capabilities_.refuses_empty = true;
  if (!sink.list().ok() && !(empty && says_empty(sink.list()))) refuse(sink.list(), RefusedStep::other, "LIST refused");
  if (sink.uidl().ok() || (empty && says_empty(sink.uidl()))) {
    MaildropListing listing = sink.finish(true);
    const auto& entries = listing.entries;
    const bool has_first = !entries.empty() && entries.front().number == kFirst;
    listing.answers_unique_id = has_first && unique_id_in(sink.uidl_one(), kFirst) == entries.front().uid;
    return listing;
  }
  // Announced and refused passes by itself; going on without unique-ids would fetch everything again.
  if (capabilities_.uidl) refuse(sink.uidl(), RefusedStep::other, "UIDL refused although the server announces it");
  return sink.finish(false);
}

bool Pop3Client::is_empty(const std::optional<pop3::DropListing>& told) {
  constexpr pop3::MessageNumber kNone{0};
  const auto drop = told ? told : glance_from(kNone, ask(glance_commands(kNone))).drop;
  return drop && drop->count == 0;
}

void Pop3Client::ask_for_listing(pop3::ReplySink& sink, Beside beside, const std::function<void()>& meanwhile) {
  const Command uidl{.verb = Verb::uidl, .argument = {}};
  const Command list{.verb = Verb::list, .argument = {}};
  connection_.expect_silence();
  connection_.submit(uidl);
  if (pipelining_) connection_.submit(list);
  const bool asks_unique_id = pipelining_ && beside == Beside::unique_id;
  if (asks_unique_id) connection_.submit({.verb = Verb::uidl_one, .argument = {}, .number = kFirst});
  connection_.flush();
  if (meanwhile) meanwhile();
  asking_unique_id_ = asks_unique_id;
  connection_.receive_all(sink);
  asking_unique_id_ = false;
  if (!pipelining_) {
    connection_.submit(list);
    connection_.flush();
    connection_.receive_all(sink);
  }
}

pop3::DropListing Pop3Client::stat() {
  const Reply reply = connection_.request({.verb = Verb::stat, .argument = {}});
  if (!reply.status.ok()) refuse(reply.status, RefusedStep::other, "STAT refused");
  const auto parsed = pop3::parse_drop_listing(reply.status.text);
  if (!parsed) throw Error(ErrorCode::not_pop3, "the answer to STAT has no message count: " + escaped(reply.status.shown()));
  return *parsed;
}

std::optional<std::string> Pop3Client::top(pop3::MessageNumber number, std::uint32_t lines) {
  Reply reply = connection_.request({.verb = Verb::top, .argument = std::to_string(lines), .number = number});
  if (!reply.status.ok()) return std::nullopt;
  return std::move(reply.body);
}

std::vector<bool> Pop3Client::dele(const std::vector<pop3::MessageNumber>& numbers) {
  constexpr std::size_t kCommandOctetsMax = 4096;  // must fit the server's receive buffer: nobody reads while we write
  std::vector<bool> answers;
  DeleSink sink(answers);
  for (const pop3::MessageNumber number : numbers) {
    if (!pipelining_) connection_.expect_silence();
    connection_.submit({.verb = Verb::dele, .argument = {}, .number = number});
    if (!pipelining_ || connection_.session().command_octets_outstanding() >= kCommandOctetsMax) {
      connection_.flush();
      connection_.receive_all(sink);
    }
  }
  connection_.flush();
  connection_.receive_all(sink);
  return answers;
}

void Pop3Client::rset() {
  const Reply reply = connection_.request({.verb = Verb::rset, .argument = {}});
  if (!reply.status.ok()) refuse(reply.status, RefusedStep::other, "RSET refused");
}

void Pop3Client::noop() { (void)connection_.request({.verb = Verb::noop, .argument = {}}); }

bool Pop3Client::quit(bool await_reply) {
  connection_.expect_silence();
  connection_.submit({.verb = Verb::quit, .argument = {}});
  connection_.flush();
  if (!await_reply) return true;
  try {
    return connection_.await_farewell().status.ok();
  } catch (const Error& error) {
    // A stop is a stop; every other failure here is "outcome unknown", which the next listing settles.
    if (error.code() == ErrorCode::interrupted) throw;
    return false;
  }
}

}  // namespace popsync::net
