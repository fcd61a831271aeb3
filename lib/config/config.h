// SPDX-License-Identifier: MIT
// The configuration as plain values: merged, checked, expanded. What is in here may be used without another look.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/tls_policy.h"
#include "secrets/secret_source.h"

namespace popsync::config {

// Where a value was written; line 0: a default.
struct Origin {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

enum class AuthMethod { automatic, user, plain, apop };
enum class MboxLocks { fcntl, fcntl_dot_lock, all };  // all: flock too
enum class Pipelining { automatic, on, off };

// What happens on the server to a message that is stored here (RFC 1939 section 8 leaves it to the client).
struct LeaveOnServer {
  enum class Kind { keep, remove, remove_after } kind = Kind::keep;
  std::chrono::seconds age{};  // remove_after: counted from our publication
  bool operator==(const LeaveOnServer&) const = default;
};

struct Account {
  std::string name;
  bool enabled = true;
  net::Endpoint endpoint;
  net::TlsPolicy tls;
  bool allow_insecure_auth = false;
  std::string user;
  AuthMethod auth = AuthMethod::automatic;
  secrets::SecretSpec secret;
  std::chrono::seconds secret_lifetime{std::chrono::hours(12)};
  std::string maildir;  // absolute; one of the two is set
  std::string mbox;
  MboxLocks mbox_locks = MboxLocks::fcntl_dot_lock;
  LeaveOnServer leave_on_server;
  std::uint64_t max_message_size = 512ULL << 20U;  // octets
  std::uint64_t min_free_space = 64ULL << 20U;     // octets
  std::chrono::seconds interval{std::chrono::minutes(5)};
  Pipelining pipelining = Pipelining::automatic;
  bool rset_before_quit = false;
  bool skip_first_message = false;
  bool port_counts = false;               // another account, enabled or not, has this user and host: only the port tells them apart
  Origin origin;                          // of [accounts.NAME]
  std::map<std::string, Origin> origins;  // of each key written in a file, in [accounts.NAME] or [defaults]
};

enum class LogFormatKey { automatic, plain, json };
enum class ClockKey { automatic, trusted };

struct Daemon {
  std::uint32_t max_sessions = 32;
  std::uint32_t max_sessions_per_host = 4;
  std::string log_level = "info";  // debug | info | warning | error
  LogFormatKey log_format = LogFormatKey::automatic;
  ClockKey clock = ClockKey::automatic;
  std::map<std::string, Origin> origins;
};

struct Config {
  Daemon daemon;
  std::vector<Account> accounts;   // in the order of their names
  std::vector<std::string> files;  // what was read, in order
  [[nodiscard]] const Account* find(std::string_view name) const;
  // Names of environment variables that hold passwords: kept from every child process.
  [[nodiscard]] std::vector<std::string> password_variables() const;
};

}  // namespace popsync::config
