// SPDX-License-Identifier: MIT
#include "config/config_keys.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/random.h"
#include "config/host_name.h"
#include "config/readers.h"
#include "config/templates.h"
#include "config/tls_pin.h"
#include "config/units.h"
#include "secrets/secret_rules.h"

namespace popsync::config {
namespace {

using secrets::SourceKind;
using Words = std::span<const std::string_view>;

// In the order of the enumerators.
constexpr std::array<std::string_view, 3> kTlsModes = {"implicit", "starttls", "none"};
constexpr std::array<std::string_view, 3> kTlsTrusts = {"ca", "pin", "ca+pin"};
constexpr std::array<std::string_view, 2> kTlsVersions = {"1.2", "1.3"};
constexpr std::array<std::string_view, 4> kAuthMethods = {"auto", "user", "plain", "apop"};
constexpr std::array<std::string_view, 3> kPipelinings = {"auto", "on", "off"};
constexpr std::array<std::string_view, 3> kMboxLocks = {"fcntl", "fcntl+dotlock", "fcntl+dotlock+flock"};
constexpr std::array<std::string_view, 3> kLogFormats = {"auto", "plain", "json"};
constexpr std::array<std::string_view, 2> kClocks = {"auto", "trusted"};
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};
static_assert(static_cast<std::size_t>(net::TlsMode::none) + 1 == kTlsModes.size());
static_assert(static_cast<std::size_t>(net::TlsTrust::ca_and_pin) + 1 == kTlsTrusts.size());
static_assert(static_cast<std::size_t>(net::TlsVersion::v1_3) + 1 == kTlsVersions.size());
static_assert(static_cast<std::size_t>(AuthMethod::apop) + 1 == kAuthMethods.size());
static_assert(static_cast<std::size_t>(Pipelining::off) + 1 == kPipelinings.size());
static_assert(static_cast<std::size_t>(MboxLocks::all) + 1 == kMboxLocks.size());
static_assert(static_cast<std::size_t>(LogFormatKey::json) + 1 == kLogFormats.size());
static_assert(static_cast<std::size_t>(ClockKey::trusted) + 1 == kClocks.size());

// A field of a record, by pointer to member or, below another struct, by a function.
constexpr auto kPort = [](auto& account) -> auto& { return account.endpoint.port; };
constexpr auto kHost = [](auto& account) -> auto& { return account.endpoint.host; };
constexpr auto kTlsMode = [](auto& account) -> auto& { return account.tls.mode; };
constexpr auto kTlsTrust = [](auto& account) -> auto& { return account.tls.trust; };
constexpr auto kTlsVersionMin = [](auto& account) -> auto& { return account.tls.version_min; };
constexpr auto kTlsCaFile = [](auto& account) -> auto& { return account.tls.ca_file; };

template <auto Field, class Record>
void set_boolean(const Value& value, Record& record, Faults& faults) {
  if (const auto read = read_boolean(value, faults)) std::invoke(Field, record) = *read;
}
template <auto Field, class Record>
std::string show_boolean(const Record& record) {
  return std::invoke(Field, record) ? "true" : "false";
}

template <auto Field, std::int64_t kMax, class Record>
void set_number(const Value& value, Record& record, Faults& faults) {
  auto& field = std::invoke(Field, record);
  if (const auto read = read_number(value, 1, kMax, faults)) field = static_cast<std::remove_reference_t<decltype(field)>>(*read);
}
template <auto Field, class Record>
std::string show_number(const Record& record) {
  return std::to_string(std::invoke(Field, record));
}

template <auto Field, std::int64_t kMin, std::int64_t kMax>
void set_duration(const Value& value, Account& account, Faults& faults) {
  if (const auto read = read_duration(value, std::chrono::seconds(kMin), std::chrono::seconds(kMax), faults)) std::invoke(Field, account) = *read;
}
template <auto Field>
std::string show_duration(const Account& account) {
  return toml_quoted(duration_text(std::invoke(Field, account)));
}

template <auto Field, const auto& kWords, class Record>
void set_choice(const Value& value, Record& record, Faults& faults) {
  auto& field = std::invoke(Field, record);
  if (const auto read = read_choice(value, kWords, faults)) field = static_cast<std::remove_reference_t<decltype(field)>>(*read);
}
template <auto Field, const auto& kWords, class Record>
std::string show_choice(const Record& record) {
  return toml_quoted(kWords.at(static_cast<std::size_t>(std::invoke(Field, record))));
}

template <auto Field, class Record>
std::string show_text(const Record& record) {
  const std::string& text = std::invoke(Field, record);
  return text.empty() ? std::string() : toml_quoted(text);
}

void set_log_level(const Value& value, Daemon& daemon, Faults& faults) {
  if (const auto read = read_choice(value, kLogLevels, faults)) daemon.log_level = kLogLevels.at(*read);
}

void set_host(const Value& value, Account& account, Faults& faults) {
  const auto host = read_text(value, faults);
  if (!host) return;
  if (const auto fault = fault_of_host(*host)) return faults.add(value, *fault);
  account.endpoint.host = *host;
}

void set_user(const Value& value, Account& account, Faults& faults) {
  const auto user = read_text(value, faults);
  if (!user) return;
  if (const auto fault = secrets::fault_of_login_word(*user)) return faults.add(value, *fault + ", expected the name to log in with");
  account.user = *user;
}

// A path or a name with {name}, {user}, {host} in it.
std::optional<std::string> checked_template(std::optional<std::string> text, const Value& value, Faults& faults) {
  const auto fault = text ? fault_of_template(*text) : std::nullopt;
  if (!fault) return text;
  faults.add(value, *fault);
  return std::nullopt;
}

template <auto Field>
void set_template_path(const Value& value, Account& account, Faults& faults) {
  if (auto path = checked_template(read_path(value, faults), value, faults)) std::invoke(Field, account) = std::move(*path);
}

void set_tls_ca_file(const Value& value, Account& account, Faults& faults) {
  if (auto path = read_path(value, faults)) account.tls.ca_file = std::move(*path);
}

void set_pins(const Value& value, Account& account, Faults& faults) {
  if (value.kind != Value::Kind::list) return faults.expected(value, "a list of SHA-256 fingerprints of public keys");
  if (value.list.empty()) return faults.add(value, "is empty, expected at least one fingerprint");
  constexpr std::string_view kForm = "64 hexadecimal digits, or base64 of 32 octets";
  account.tls.pins_sha256.clear();
  for (const Value& item : value.list) {
    if (const auto pin = parse_pin(item.text)) {
      account.tls.pins_sha256.push_back(*pin);
    } else {
      item.kind == Value::Kind::text ? faults.expected_not(item, kForm) : faults.expected(item, kForm);
    }
  }
}

std::string show_pins(const Account& account) {
  std::string list;
  for (const std::string& pin : account.tls.pins_sha256) list += (list.empty() ? "" : ", ") + toml_quoted(to_hex(pin));
  return list.empty() ? list : "[" + list + "]";
}

void set_leave_on_server(const Value& value, Account& account, Faults& faults) {
  using Kind = LeaveOnServer::Kind;
  if (value.kind == Value::Kind::boolean) {
    account.leave_on_server = {.kind = value.boolean ? Kind::keep : Kind::remove, .age = {}};
  } else if (value.kind != Value::Kind::text || !parse_duration(value.text)) {
    constexpr std::string_view kForm = "true, false or a duration as \"14d\"";
    value.kind == Value::Kind::text ? faults.expected_not(value, kForm) : faults.expected(value, kForm);
  } else if (*parse_duration(value.text) < kLeaveOnServerMin) {
    faults.expected_not(value, "false to delete after a successful sync, or a longer duration");
  } else if (const auto age = read_duration(value, kLeaveOnServerMin, kLeaveOnServerMax, faults)) {
    account.leave_on_server = {.kind = Kind::remove_after, .age = *age};
  }
}

std::string show_leave_on_server(const Account& account) {
  switch (account.leave_on_server.kind) {
    case LeaveOnServer::Kind::keep: return "true";
    case LeaveOnServer::Kind::remove: return "false";
    case LeaveOnServer::Kind::remove_after: break;
  }
  return toml_quoted(duration_text(account.leave_on_server.age));
}

void set_max_message_size(const Value& value, Account& account, Faults& faults) {
  if (const auto size = read_size(value, 1, kMessageOctetsMax, faults)) account.max_message_size = *size;
}
std::string show_max_message_size(const Account& account) { return toml_quoted(size_text(account.max_message_size)); }

void set_min_free_space(const Value& value, Account& account, Faults& faults) {
  if (const auto size = read_size(value, 0, kFreeSpaceMax, faults)) account.min_free_space = *size;
}
std::string show_min_free_space(const Account& account) { return toml_quoted(size_text(account.min_free_space)); }

void set_password(const Value& value, Account& account, Faults& faults) {
  const auto password = read_text(value, faults);
  if (!password) return;
  if (const auto fault = secrets::fault_of_login_word(*password)) return faults.add(value, *fault + ", expected the password as it is typed");
  account.secret = {.kind = SourceKind::literal, .value = *password, .command = {}};
}
std::string show_password(const Account& account) { return account.secret.kind == SourceKind::literal ? toml_quoted("***") : std::string(); }

template <SourceKind kKind>
std::string show_secret_value(const Account& account) {
  return account.secret.kind == kKind ? toml_quoted(account.secret.value) : std::string();
}

void set_password_file(const Value& value, Account& account, Faults& faults) {
  auto path = checked_template(read_path(value, faults), value, faults);
  if (path) account.secret = {.kind = SourceKind::file, .value = std::move(*path), .command = {}};
}

void set_password_credential(const Value& value, Account& account, Faults& faults) {
  auto name = checked_template(read_text(value, faults), value, faults);
  if (!name) return;
  const bool path = name->find_first_of(std::string_view("/\0", 2)) != std::string::npos || name->find_first_not_of('.') == std::string::npos;
  if (path) return faults.expected_not(value, "the name that LoadCredential= gives the credential");
  account.secret = {.kind = SourceKind::credential, .value = std::move(*name), .command = {}};
}

void set_password_env(const Value& value, Account& account, Faults& faults) {
  const auto name = read_text(value, faults);
  if (!name) return;
  const bool bad = name->empty() || (name->front() >= '0' && name->front() <= '9') || !std::ranges::all_of(*name, [](char c) {
                     return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                   });
  // Its text is not shown: who mistakes this key puts the password here.
  if (bad) return faults.add(value, "expected the name of an environment variable: letters, digits and _");
  account.secret = {.kind = SourceKind::environment, .value = *name, .command = {}};
}

void set_password_command(const Value& value, Account& account, Faults& faults) {
  auto argv = read_list(value, "strings, the program and its arguments: [\"pass\", \"show\", \"mail/work\"]", faults);
  if (!argv) return;
  if (argv->empty() || argv->front().empty()) return faults.add(value, "names no program");
  if (std::ranges::any_of(*argv, [](const std::string& word) { return word.find('\0') != std::string::npos; }))
    return faults.add(value, "contains a NUL octet");
  account.secret = {.kind = SourceKind::command, .value = {}, .command = std::move(*argv)};
}

std::string show_password_command(const Account& account) {
  std::string list;
  for (const std::string& word : account.secret.command) list += (list.empty() ? "" : ", ") + toml_quoted(word);
  return account.secret.kind == SourceKind::command ? "[" + list + "]" : std::string();
}

constexpr Key daemon_key(std::string_view name, std::string_view type, std::string_view default_text, std::string_view description,
                         void (*set)(const Value&, Daemon&, Faults&), std::string (*show)(const Daemon&)) {
  return {.section = Section::daemon,
          .name = name,
          .type = type,
          .default_text = default_text,
          .description = description,
          .set_daemon = set,
          .show_daemon = show};
}

constexpr Key account_key(std::string_view name, std::string_view type, std::string_view default_text, std::string_view description,
                          void (*set)(const Value&, Account&, Faults&), std::string (*show)(const Account&)) {
  return {.name = name, .type = type, .default_text = default_text, .description = description, .set_account = set, .show_account = show};
}

constexpr Key required(Key key) {
  key.required = true;
  return key;
}

constexpr Key mailstore(Key key) {
  key.one_of = OneOf::mailstore;
  return key;
}

constexpr Key source(std::string_view name, std::string_view type, std::string_view description, void (*set)(const Value&, Account&, Faults&),
                     std::string (*show)(const Account&)) {
  Key key = account_key(name, type, "", description, set, show);
  key.one_of = OneOf::secret_source;
  return key;
}

constexpr std::int64_t kLifetimeMax = kSecretLifetimeMax.count();
constexpr std::string_view kBoolean = "boolean";
constexpr std::string_view kDuration = "duration";
constexpr std::string_view kPath = "path";
constexpr std::string_view kString = "string";

const std::array kKeys = {
    daemon_key("max_sessions", "number", "32", "sessions at once, over all accounts", set_number<&Daemon::max_sessions, kSessionsMax, Daemon>,
               show_number<&Daemon::max_sessions, Daemon>),
    daemon_key("max_sessions_per_host", "number", "4", "sessions at once with one server",
               set_number<&Daemon::max_sessions_per_host, kSessionsMax, Daemon>, show_number<&Daemon::max_sessions_per_host, Daemon>),
    daemon_key("log_level", R"("debug" | "info" | "warning" | "error")", R"("info")", "the least important line that is logged", set_log_level,
               show_text<&Daemon::log_level, Daemon>),
    daemon_key("log_format", R"("auto" | "plain" | "json")", R"("auto")", "journal fields under systemd, else plain; or always one of them",
               set_choice<&Daemon::log_format, kLogFormats, Daemon>, show_choice<&Daemon::log_format, kLogFormats, Daemon>),
    daemon_key("clock", R"("auto" | "trusted")", R"("auto")", "auto: right while the kernel calls it synchronised; trusted: right always",
               set_choice<&Daemon::clock, kClocks, Daemon>, show_choice<&Daemon::clock, kClocks, Daemon>),

    account_key("enabled", kBoolean, "true", "false: kept in the file, but not synced", set_boolean<&Account::enabled, Account>,
                show_boolean<&Account::enabled, Account>),
    required(account_key("host", kString, "", "the POP3 server: a name or an IP address, nothing around it", set_host, show_text<kHost, Account>)),
    account_key("port", "number", "995", "995 with implicit TLS, otherwise 110", set_number<kPort, 65535, Account>, show_number<kPort, Account>),
    account_key("tls", R"("implicit" | "starttls" | "none")", R"("implicit")", "TLS from the first octet, after STLS, or never",
                set_choice<kTlsMode, kTlsModes, Account>, show_choice<kTlsMode, kTlsModes, Account>),
    account_key("allow_insecure_auth", kBoolean, "false", "true: send the password without TLS, where everyone on the way can read it",
                set_boolean<&Account::allow_insecure_auth, Account>, show_boolean<&Account::allow_insecure_auth, Account>),
    required(account_key("user", kString, "", "the name to log in with", set_user, show_text<&Account::user, Account>)),
    account_key("auth", R"("auto" | "user" | "plain" | "apop")", R"("auto")", "how to log in; auto: the best the server offers, never APOP",
                set_choice<&Account::auth, kAuthMethods, Account>, show_choice<&Account::auth, kAuthMethods, Account>),
    source("password", kString, "the password itself; the file must then be readable by popsync alone", set_password, show_password),
    source("password_file", kPath, "a file that holds the password and nothing else", set_password_file, show_secret_value<SourceKind::file>),
    source("password_command", "list of strings", "a program that prints the password as its first line; no shell", set_password_command,
           show_password_command),
    source("password_env", kString, "an environment variable that holds the password", set_password_env, show_secret_value<SourceKind::environment>),
    source("password_credential", kString, "a systemd credential of the unit: LoadCredential=NAME:FILE", set_password_credential,
           show_secret_value<SourceKind::credential>),
    account_key("secret_lifetime", kDuration, R"("12h")", "how long the password is kept in memory; \"0s\": read for each session",
                set_duration<&Account::secret_lifetime, 0, kLifetimeMax>, show_duration<&Account::secret_lifetime>),
    mailstore(account_key("maildir", kPath, "", "the Maildir that messages are delivered to; made when it is new",
                          set_template_path<&Account::maildir>, show_text<&Account::maildir, Account>)),
    mailstore(account_key("mbox", kPath, "", "instead of a Maildir: the mbox that messages are appended to; made when it is new",
                          set_template_path<&Account::mbox>, show_text<&Account::mbox, Account>)),
    account_key("mbox_locks", R"("fcntl" | "fcntl+dotlock" | "fcntl+dotlock+flock")", R"("fcntl+dotlock")",
                "the locks that keep other programs out of the mbox meanwhile", set_choice<&Account::mbox_locks, kMboxLocks, Account>,
                show_choice<&Account::mbox_locks, kMboxLocks, Account>),
    account_key("leave_on_server", "boolean or duration", "true",
                "true: for ever; false: deleted after a successful sync; \"14d\": so long after we stored it", set_leave_on_server,
                show_leave_on_server),
    account_key("max_message_size", "size", R"("512MiB")", "a larger message is held and shown in status; others go on", set_max_message_size,
                show_max_message_size),
    account_key("min_free_space", "size", R"("64MiB")", "so much is left free on the disks of the Maildir and of the state; with less, mail waits",
                set_min_free_space, show_min_free_space),
    account_key("interval", kDuration, R"("5m")", "time from one sync to the next",
                set_duration<&Account::interval, kIntervalMin.count(), kIntervalMax.count()>, show_duration<&Account::interval>),
    account_key("pipelining", R"("auto" | "on" | "off")", R"("auto")", "commands sent ahead of their replies; auto: where the server announces it",
                set_choice<&Account::pipelining, kPipelinings, Account>, show_choice<&Account::pipelining, kPipelinings, Account>),
    account_key("rset_before_quit", kBoolean, "false", "true: RSET before a session's first DELE or QUIT, for servers that delete whatever was read",
                set_boolean<&Account::rset_before_quit, Account>, show_boolean<&Account::rset_before_quit, Account>),
    account_key("skip_first_message", kBoolean, "false", "true: the first message is the server's own (folder internal data) and is left alone",
                set_boolean<&Account::skip_first_message, Account>, show_boolean<&Account::skip_first_message, Account>),
    account_key("tls_ca_file", kPath, "", "authorities (PEM) to trust instead of the system's", set_tls_ca_file, show_text<kTlsCaFile, Account>),
    account_key("tls_trust", R"("ca" | "pin" | "ca+pin")", R"("ca")",
                "what the server must prove: a certificate from an authority, a pinned key, or both", set_choice<kTlsTrust, kTlsTrusts, Account>,
                show_choice<kTlsTrust, kTlsTrusts, Account>),
    account_key("tls_pin_sha256", "list of strings", "", "SHA-256 of the server's public key (SPKI), in hexadecimal digits or base64", set_pins,
                show_pins),
    account_key("tls_min_version", R"("1.2" | "1.3")", R"("1.2")", "the oldest TLS version that is accepted",
                set_choice<kTlsVersionMin, kTlsVersions, Account>, show_choice<kTlsVersionMin, kTlsVersions, Account>),
};

}  // namespace

std::span<const Key> all_keys() { return kKeys; }

const Key* find_key(Section section, std::string_view name) {
  const auto* found = std::ranges::find_if(kKeys, [&](const Key& key) { return key.section == section && key.name == name; });
  return found == kKeys.end() ? nullptr : found;
}

std::vector<std::string> key_names(Section section) {
  std::vector<std::string> names;
  for (const Key& key : kKeys) {
    if (key.section == section) names.emplace_back(key.name);
  }
  return names;
}

}  // namespace popsync::config
