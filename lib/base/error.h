// SPDX-License-Identifier: MIT
// The one error type. Its code is drawn from a closed set and decides the exit status of the program and
// whether waiting may help. What a caller is expected to branch on (-ERR to RETR, an absent row) is a value,
// never an Error. Exceptions of other libraries are turned into an Error at the edge of the module that calls them.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace popsync {

enum class ErrorCode {
  usage,                  // 64: command line
  unknown_account,        // 64
  unknown_uid,            // 64
  bug,                    // 70: an assertion or an exception nobody expected
  configuration,          // 78
  newer_schema,           // 78: the state was written by a newer popsync
  account_identity,       // 78: the name now has another user; two accounts read one maildrop
  mailstore_foreign,      // 78: another state's, or with mail that popsync knows nothing of, or no rename works in it (EXDEV)
  login_refused,          // 77: wrong user or password, or the provider has locked the account
  login_unclear,          // 77: the login was refused without a reason
  secret_unavailable,     // 77
  insecure_login,         // 77: the credential gate said no
  certificate,            // 77
  tls_failed,             // 77: STLS refused, TLS version or handshake refused
  mailstore_unavailable,  // 73: cannot be created or opened: permission, read-only, not mounted
  state_unavailable,      // 73
  io_error,               // 74: read, write or sync failed
  state_corrupt,          // 74
  not_pop3,               // 76: another protocol answers, or a reply is outside the grammar
  desynchronised,         // 76: replies and commands no longer match; octets after STLS
  host_unknown,           // 69: the name does not exist
  greeting_refused,       // 69: -ERR instead of a greeting
  server_permanent,       // 69: [SYS/PERM], or the server lacks what the policy needs
  network,                // 75: refused, reset, closed, no route
  timeout,                // 75
  dns_temporary,          // 75
  in_use,                 // 75: [IN-USE]: another session holds the maildrop
  login_delay,            // 75: [LOGIN-DELAY]
  server_temporary,       // 75: [SYS/TEMP], -ERR without a reason behind the login
  disk_full,              // 75
  disk_hangs,             // 75: a file system does not answer, a dead network mount mostly
  lock_held,              // 75: another popsync works on this account
  interrupted,            // 75: SIGTERM, SIGINT
  file_not_found,         // 66
  differences,            // 65: verify found differences
};

// "login_refused": the code in JSON, logs and tests.
std::string_view name_of(ErrorCode code);
// The reverse; empty for a name that is none.
std::optional<ErrorCode> error_code_named(std::string_view name);

// The server took no login with this user and secret, for a reason or without one. Providers count both alike.
constexpr bool refuses_login(ErrorCode code) { return code == ErrorCode::login_refused || code == ErrorCode::login_unclear; }

// The exit status that stands for the code (sysexits.h numbers).
int exit_status(ErrorCode code);

// The status a command over several accounts ends with: the first of 64 70 78 77 74 73 76 69 75 66 65 0 among them.
int worse_exit_status(int left, int right);

class Error : public std::exception {
 public:
  // `message` says what happened, `hint` the next step (may be empty). Foreign text in either is escaped already.
  Error(ErrorCode code, std::string message, std::string hint = {});

  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] const std::string& hint() const { return hint_; }
  // "message; hint"
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
  std::string what_;
};

// Ends the process (abort) after logging: an invariant is broken, going on could lose mail.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

// The text of an errno value, thread-safe.
std::string errno_text(int number);

}  // namespace popsync

// On in release builds: a broken invariant must not reach the disk.
#define POPSYNC_ASSERT(expression) ((expression) ? static_cast<void>(0) : ::popsync::assertion_failed(#expression, __FILE__, __LINE__))
